/**
 * Swaps one face: calls the steps in order, each of them in its own file. Changes the target's picture in place. Masks,
 * tones and the membrane are smooth, so they are computed on a small copy in which a face has about SMALL_FACE pixels.
 * Only the steps that carry detail run on every pixel.
 */
import { blendDifference } from './blend.ts'
import { growPlane, narrowPlane, shrinkPicture } from './blur.ts'
import { toTone } from './colour.ts'
import { pasteChange, planCrop, readCrop, toCropPoints } from './crop.ts'
import { carryValues, findFacing } from './facing.ts'
import { drawFeatureHold, drawMask } from './mask.ts'
import { solveMembrane } from './membrane.ts'
import { MESH_TRIANGLES } from './mesh-tables.ts'
import type { FaceMesh } from './mesh.ts'
import { createPlane, type FloatPicture, type Plane } from './picture.ts'
import { INNER_LIPS, mixShapes, toDonorFace } from './pose.ts'
import { getLevel, type Pyramid } from './pyramid.ts'
import { matchDetail, measureDetail } from './sharpness.ts'
import { drawSeeds, findSkin, fitSkin } from './skin.ts'
import { addFilm, addLight, addPress, applyTone, createLightField, planToneShift } from './tone.ts'
import { drawField, readDonor } from './warp.ts'

const SMALL_FACE = 128
// Mean difference of the channels, of 255, below which a picture counts as black and white.
const GREY_BELOW = 3

/** The mesh's own triangles and a strip that closes the mouth. */
const CLOSED_TRIANGLES = closeMouth()

export function swapFace(target: Pyramid, targetMesh: FaceMesh, donor: Pyramid, donorMesh: FaceMesh): void {
  const picture = getLevel(target, 0)
  const donorFace = toDonorFace(donorMesh, targetMesh)
  const shape = mixShapes(targetMesh.points, donorFace.shape)
  const crop = planCrop(shape.points, target, targetMesh.size, donorMesh.size)
  if (crop === null) return
  const work = readCrop(target, crop)
  const { width, height } = work
  const faceSize = targetMesh.size * crop.scale
  const points = toCropPoints(shape.points, crop)

  const carried = carryValues(donorFace.texture, findFacing(donorFace.shape), findFacing(points))
  const triangles = shape.keepsMouth ? MESH_TRIANGLES : CLOSED_TRIANGLES
  const field = drawField(points, carried, triangles, width, height, faceSize * 0.006)
  const warped = readDonor(donor, field, width, height)

  const factor = Math.max(1, Math.round(faceSize / SMALL_FACE))
  const small = {
    target: shrinkPicture(work, factor),
    donor: shrinkCovered(warped.picture, warped.cover, factor),
    cover: shrinkPlane(warped.cover, factor),
    points: points.map((value) => value / factor),
    faceSize: faceSize / factor,
  }
  const size = [small.target.width, small.target.height] as const
  const seeds = drawSeeds(small.points, small.faceSize, ...size)
  const donorSeeds = multiplyPlanes(seeds, small.cover)
  const targetTone = toTone(small.target)
  const donorTone = toTone(small.donor)
  const targetModel = fitSkin(targetTone, seeds)
  const donorModel = fitSkin(donorTone, donorSeeds)
  const targetSkin = findSkin(targetTone, targetModel, ...size)
  const donorSkin = multiplyPlanes(findSkin(donorTone, donorModel, ...size), small.cover)
  const trust = multiplyPlanes(shrinkTrust(field.values[5] ?? createPlane(1, 1), factor, ...size), small.cover)
  const { mask, reach } = drawMask({ ...small, targetSkin, donorSkin, trust, keepsMouth: shape.keepsMouth })

  const hold = drawFeatureHold(small.points, small.faceSize, ...size)
  const shift = planToneShift(donorModel, targetModel, isGrey(small.target))
  const light = createLightField(hold)
  // Shrunk a little: beside hair, the colours of skin and hair mix.
  const margin = Math.max(1, Math.round(small.faceSize * 0.012))
  const targetBare = narrowPlane(targetSkin, margin)
  const donorBare = narrowPlane(donorSkin, margin)
  const bareSkin = multiplyPlanes(multiplyPlanes(targetBare, donorBare), mask)
  addPress(
    light,
    targetTone,
    donorTone,
    multiplyPlanes(targetBare, mask),
    multiplyPlanes(donorBare, mask),
    small.faceSize * 0.035,
  )
  const shifted = copyPicture(small.donor)
  applyTone(shifted, small.cover, shift, light, 1)
  addLight(light, targetTone, toTone(shifted), bareSkin, small.faceSize * 0.11)
  applyTone(small.donor, small.cover, shift, light, 1)

  addFilm(light, solveMembrane(small.target, small.donor, findHolds(mask, targetBare, donorBare)))
  applyTone(warped.picture, warped.cover, shift, light, factor)

  const largeMask = growPlane(mask, factor, width, height)
  const ratio = measureDetail(warped.picture, largeMask) / Math.max(0.1, measureDetail(work, largeMask))
  matchDetail(warped.picture, warped.cover, ratio)

  const levels = Math.min(5, Math.max(2, Math.floor(Math.log2(faceSize / 40))))
  const change = blendDifference(work, warped.picture, warped.cover, largeMask, levels)
  scaleChange(change, growPlane(reach, factor, width, height).values)
  pasteChange(picture, crop, work, change, largeMask)
}

function closeMouth(): Uint16Array {
  const upper = INNER_LIPS.slice(0, 11)
  const lower = [INNER_LIPS[0], ...INNER_LIPS.slice(11).toReversed(), INNER_LIPS[10]]
  const strip: number[] = []
  for (let i = 0; i < 10; i++) {
    const corners = [upper[i], upper[i + 1], lower[i], lower[i + 1]].map((corner) => corner ?? 0)
    const [a = 0, b = 0, c = 0, d = 0] = corners
    strip.push(a, b, c, b, d, c)
  }
  return Uint16Array.from([...MESH_TRIANGLES, ...strip])
}

/** Averages blocks over covered pixels only: uncovered pixels are black and would darken the rim. */
function shrinkCovered(picture: FloatPicture, cover: Plane, factor: number): FloatPicture {
  const small = shrinkPicture(picture, factor)
  const share = shrinkPlane(cover, factor)
  for (let i = 0; i < share.values.length; i++) {
    const w = Math.max(0.05, share.values[i] ?? 0)
    for (let p = 3 * i; p < 3 * i + 3; p++) small.rgb[p] = (small.rgb[p] ?? 0) / w
  }
  return small
}

function shrinkPlane(plane: Plane, factor: number): Plane {
  const small = createPlane(Math.ceil(plane.width / factor), Math.ceil(plane.height / factor))
  const counts = new Float32Array(small.values.length)
  for (let y = 0; y < plane.height; y++) {
    for (let x = 0; x < plane.width; x++) {
      const to = Math.floor(y / factor) * small.width + Math.floor(x / factor)
      small.values[to] = (small.values[to] ?? 0) + (plane.values[y * plane.width + x] ?? 0)
      counts[to] = (counts[to] ?? 0) + 1
    }
  }
  for (let i = 0; i < counts.length; i++) small.values[i] = (small.values[i] ?? 0) / Math.max(1, counts[i] ?? 1)
  return small
}

/** Resizes the warp field's plane, which has half the working resolution, to the small copy. */
function shrinkTrust(plane: Plane, factor: number, width: number, height: number): Plane {
  return growPlane(plane, 2 / factor, width, height)
}

function multiplyPlanes(a: Plane, b: Plane): Plane {
  const product = createPlane(a.width, a.height)
  for (let i = 0; i < product.values.length; i++) product.values[i] = (a.values[i] ?? 0) * (b.values[i] ?? 0)
  return product
}

function copyPicture(picture: FloatPicture): FloatPicture {
  return { ...picture, rgb: picture.rgb.slice() }
}

function isGrey(picture: FloatPicture): boolean {
  const { rgb } = picture
  let sum = 0
  for (let p = 0; p < rgb.length; p += 3) {
    const green = rgb[p + 1] ?? 0
    sum += Math.abs((rgb[p] ?? 0) - green) + Math.abs(green - (rgb[p + 2] ?? 0))
  }
  return sum / (rgb.length / 3) / 2 < GREY_BELOW
}

/** Marks the rim of the mask where both pictures show skin: there the membrane is held. */
function findHolds(mask: Plane, targetSkin: Plane, donorSkin: Plane): Plane {
  const holds = createPlane(mask.width, mask.height)
  for (let i = 0; i < holds.values.length; i++) {
    const m = mask.values[i] ?? 0
    const bare = Math.min(targetSkin.values[i] ?? 0, donorSkin.values[i] ?? 0)
    if (m > 0.03 && m < 0.55 && bare > 0.5) holds.values[i] = 1
  }
  return holds
}

function scaleChange(change: Float32Array, reach: Float32Array): void {
  for (let i = 0, p = 0; i < reach.length; i++, p += 3) {
    const share = reach[i] ?? 0
    change[p] = (change[p] ?? 0) * share
    change[p + 1] = (change[p + 1] ?? 0) * share
    change[p + 2] = (change[p + 2] ?? 0) * share
  }
}
