/**
 * The mask: where the donor is painted, and how strongly. It starts with the outline of the face, softened inward so
 * that the rest of the head is not changed. It excludes occlusions of either face (fringe, hat, hand), areas where
 * the donor's picture is not trusted, and the inside of a mouth that stays the target's.
 */
import { blurPlane, narrowPlane, widenPlane } from './blur.ts'
import { createPlane, smoothstep, type Plane } from './picture.ts'
import { FACE_OVAL, INNER_LIPS } from './pose.ts'

// Between the brows and the outline: only a fringe or a hat covers it.
const FOREHEAD = [
  70, 63, 105, 66, 107, 9, 336, 296, 334, 293, 300, 383, 389, 251, 284, 332, 297, 338, 10, 109, 67, 103, 54, 21, 162,
  156,
]
// The lowest part of the forehead: if it is covered, so are the brows.
const ABOVE_BROWS = [70, 63, 105, 66, 107, 9, 336, 296, 334, 293, 300, 298, 333, 299, 337, 151, 108, 69, 104, 68]
// The lower part of the outline around the features. Nothing inside the outline counts as an occlusion.
const CHEEKS_AND_CHIN = [
  340, 346, 280, 425, 426, 436, 432, 430, 431, 418, 421, 200, 201, 194, 211, 210, 212, 216, 206, 205, 50, 117, 111,
]
const FEATURES = [156, 70, 63, 105, 66, 107, 9, 336, 296, 334, 293, 300, 383, ...CHEEKS_AND_CHIN]
// FEATURES if hair covers the brows.
const LOW_FEATURES = [
  143,
  130,
  247,
  30,
  29,
  27,
  28,
  56,
  190,
  168,
  414,
  286,
  258,
  257,
  259,
  260,
  467,
  359,
  372,
  ...CHEEKS_AND_CHIN,
]
const EYES = [
  [33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7],
  [263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249],
]
const BROWS = [
  [70, 63, 105, 66, 107, 55, 65, 52, 53, 46],
  [300, 293, 334, 296, 336, 285, 295, 282, 283, 276],
]
const BRIDGE = [193, 168, 417, 351, 419, 197, 196, 122]
const UNDER_EYES = [
  [31, 228, 229, 230, 231, 232, 120, 119, 118, 117],
  [261, 448, 449, 450, 451, 452, 349, 348, 347, 346],
]
const AROUND_EYES = [
  156, 70, 63, 105, 66, 107, 9, 336, 296, 334, 293, 300, 383, 340, 346, 347, 330, 329, 277, 343, 419, 197, 196, 114, 47,
  100, 101, 118, 117, 111,
]
const LIPS = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146]

export interface MaskParts {
  /** The mesh in pixels of the planes below. */
  readonly points: Float32Array
  readonly faceSize: number
  readonly targetSkin: Plane
  readonly donorSkin: Plane
  readonly trust: Plane
  readonly keepsMouth: boolean
}

export interface SwapMask {
  /** 0 to 1. */
  readonly mask: Plane
  /** Wider than the mask; beyond it no pixel may change. */
  readonly reach: Plane
}

export function drawMask(parts: MaskParts): SwapMask {
  const { points, faceSize, targetSkin, donorSkin, trust } = parts
  const { width, height } = targetSkin
  const draw = (line: readonly number[], soft: number): Plane => {
    const plane = drawPolygon(points, line, width, height)
    blurPlane(plane, faceSize * soft)
    return plane
  }
  const oval = draw(FACE_OVAL, 0.035)
  const forehead = draw(FOREHEAD, 0.025)
  const targetFringe = smoothstep(0.35, 0.6, 1 - findSkinShare(targetSkin, forehead))
  const donorFringe = smoothstep(0.14, 0.34, 1 - findSkinShare(donorSkin, forehead))
  // Half a forehead looks worse than the target's own.
  const foreheadLoss = Math.max(targetFringe, donorFringe)
  const aboveBrows = draw(ABOVE_BROWS, 0.01)
  const barest = Math.min(findSkinShare(targetSkin, aboveBrows), findSkinShare(donorSkin, aboveBrows))
  const features = draw(barest < 0.22 ? LOW_FEATURES : FEATURES, 0.02)
  const frames = [findGlasses(parts, targetSkin), findGlasses(parts, donorSkin)].filter((frame) => frame !== null)
  const mouth = draw(INNER_LIPS, 0.008)

  // The target's hair keeps its sharp edge. The donor's hairline is uncertain, so its border is wide and moved inward.
  const donorBare = narrowPlane(donorSkin, Math.max(1, Math.round(faceSize * 0.03)))
  blurPlane(donorBare, faceSize * 0.03)

  const mask = createPlane(width, height)
  const reach = createPlane(width, height)
  const covers = createPlane(width, height)
  for (let i = 0; i < covers.values.length; i++) {
    const feature = features.values[i] ?? 0
    covers.values[i] = Math.max(feature, Math.min(targetSkin.values[i] ?? 0, donorBare.values[i] ?? 0))
  }
  for (const frame of frames) takeAway(covers.values, frame.values)
  blurPlane(covers, faceSize * 0.012)
  for (let i = 0; i < mask.values.length; i++) {
    const inside = oval.values[i] ?? 0
    const lost = (forehead.values[i] ?? 0) * foreheadLoss * (1 - smoothstep(0, 0.5, features.values[i] ?? 0))
    const open = smoothstep(0.3, 0.85, covers.values[i] ?? 0) * (1 - lost)
    const whole = smoothstep(0.59, 0.98, inside) * open * (trust.values[i] ?? 0)
    mask.values[i] = parts.keepsMouth ? whole * (1 - (mouth.values[i] ?? 0)) : whole
    reach.values[i] = smoothstep(0.03, 0.3, inside)
  }
  return { mask, reach }
}

function takeAway(from: Float32Array, what: Float32Array): void {
  for (let i = 0; i < from.length; i++) from[i] = Math.min(from[i] ?? 0, 1 - (what[i] ?? 0))
}

/**
 * Finds the frame of glasses, slightly widened; null if there is none. A frame crosses the bridge of the nose and runs
 * under both eyes, where a face without glasses has only skin. The frame is removed from the mask, so that the target
 * keeps its glasses and the donor's are not copied.
 */
function findGlasses(parts: MaskParts, skin: Plane): Plane | null {
  const { points, faceSize } = parts
  const { width, height } = skin
  const oddOn = (line: readonly number[]): number => 1 - findSkinShare(skin, drawPolygon(points, line, width, height))
  const [under, otherUnder] = UNDER_EYES.map(oddOn)
  if (oddOn(BRIDGE) < 0.12 || Math.min(under ?? 0, otherUnder ?? 0) < 0.1) return null
  const frame = drawPolygon(points, AROUND_EYES, width, height)
  blurPlane(frame, faceSize * 0.012)
  for (const hole of [...EYES, ...BROWS]) {
    const inside = drawPolygon(points, hole, width, height)
    blurPlane(inside, faceSize * 0.012)
    for (let i = 0; i < frame.values.length; i++) {
      frame.values[i] = (frame.values[i] ?? 0) * (1 - smoothstep(0.1, 0.6, inside.values[i] ?? 0))
    }
  }
  for (let i = 0; i < frame.values.length; i++) {
    frame.values[i] = smoothstep(0.35, 0.8, (frame.values[i] ?? 0) * (1 - (skin.values[i] ?? 0)))
  }
  return widenPlane(frame, Math.max(1, Math.round(faceSize * 0.009)))
}

/** Draws how much each pixel resists the tone shift of the skin: eyes and mouth 0.65, lips 0.45, skin 0. */
export function drawFeatureHold(points: Float32Array, faceSize: number, width: number, height: number): Plane {
  const hold = createPlane(width, height)
  const layers: [Plane, number][] = [
    [drawPolygon(points, LIPS, width, height), 0.45],
    ...EYES.map((eye): [Plane, number] => [drawPolygon(points, eye, width, height), 0.65]),
    [drawPolygon(points, INNER_LIPS, width, height), 0.65],
  ]
  for (const [plane, strength] of layers) {
    for (let i = 0; i < hold.values.length; i++) {
      hold.values[i] = Math.max(hold.values[i] ?? 0, (plane.values[i] ?? 0) * strength)
    }
  }
  blurPlane(hold, Math.max(0.8, faceSize * 0.008))
  return hold
}

function findSkinShare(skin: Plane, region: Plane): number {
  let sum = 0
  let total = 0
  for (let i = 0; i < region.values.length; i++) {
    const weight = region.values[i] ?? 0
    sum += weight * (skin.values[i] ?? 0)
    total += weight
  }
  return total > 0 ? sum / total : 1
}

/** Fills a polygon of mesh points by the even-odd rule, sampled at pixel centres. */
export function drawPolygon(points: Float32Array, line: readonly number[], width: number, height: number): Plane {
  const plane = createPlane(width, height)
  const corners = new Float32Array(line.length * 2)
  line.forEach((point, i) => {
    corners[2 * i] = points[3 * point] ?? 0
    corners[2 * i + 1] = points[3 * point + 1] ?? 0
  })
  for (let row = 0; row < height; row++) fillRow(corners, row, plane)
  return plane
}

function fillRow(corners: Float32Array, row: number, plane: Plane): void {
  const y = row + 0.5
  const crossings: number[] = []
  for (let i = 0; i < corners.length; i += 2) {
    const x0 = corners[i] ?? 0
    const y0 = corners[i + 1] ?? 0
    const next = (i + 2) % corners.length
    const x1 = corners[next] ?? 0
    const y1 = corners[next + 1] ?? 0
    if (y0 <= y !== y1 <= y) crossings.push(x0 + ((y - y0) / (y1 - y0)) * (x1 - x0))
  }
  crossings.sort((a, b) => a - b)
  for (let i = 0; i + 1 < crossings.length; i += 2) {
    const from = Math.max(0, Math.ceil((crossings[i] ?? 0) - 0.5))
    const to = Math.min(plane.width - 1, Math.floor((crossings[i + 1] ?? 0) - 0.5))
    if (to >= from) plane.values.fill(1, row * plane.width + from, row * plane.width + to + 1)
  }
}
