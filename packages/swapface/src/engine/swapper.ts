/**
 * A whole swap from bytes to bytes, on the calling thread. The worker runs it; the bench and the contact sheet call it
 * directly, for its timings and models.
 */
import { SwapRefusal } from '../engine-contract.ts'
import { decodeImage } from './decode.ts'
import { detectFaces, uprightFace } from './detect.ts'
import { encodeImage, type EncodedImage } from './encode.ts'
import { fitMesh, type FaceMesh } from './mesh.ts'
import { openFaceModels, type FaceModels } from './models.ts'
import { createPyramid, type Pyramid } from './pyramid.ts'
import { swapFace } from './swap-face.ts'

export type TargetFaces = 'largest' | 'all'

export interface SwapperOptions {
  readonly maxPixels: number
  /** Which of the target's faces are replaced. The donor's largest face is used. */
  readonly faces: TargetFaces
}

export interface SwapTimes {
  readonly decodeMs: number
  /** Time in the two networks, for both pictures. */
  readonly inferenceMs: number
  /** Time to find the faces, without `inferenceMs`. */
  readonly findMs: number
  /** Warp, mask, tone and blend. */
  readonly pixelsMs: number
  readonly encodeMs: number
}

export interface Swapper {
  /** @throws {SwapRefusal} */
  swap(target: Uint8Array, donor: Uint8Array): Promise<EncodedImage & { readonly times: SwapTimes }>
  readonly models: FaceModels
}

// More than the largest working face can use.
export const DONOR_SIDE = 2048
// Each face costs as much as the first.
export const MAX_FACES = 12
// Limits the work for a picture of patterns, in which the detector finds many false positives.
const MAX_TRIES = 24

export async function createSwapper({ maxPixels, faces }: SwapperOptions): Promise<Swapper> {
  const models = await openFaceModels()
  return {
    models,
    swap: async (targetBytes, donorBytes) => {
      const began = performance.now()
      const target = await decodeImage(targetBytes, { name: 'target', maxPixels })
      const donor = await decodeImage(donorBytes, { name: 'face', maxPixels, maxSide: DONOR_SIDE })
      const decoded = performance.now()
      const inferenceBefore = models.inferenceMs()
      const targetPyramid = createPyramid(target.picture)
      const donorPyramid = createPyramid(donor.picture)
      const targetFaces = findFaces(models, targetPyramid, 'target', faces === 'all' ? MAX_FACES : 1)
      const [donorFace] = findFaces(models, donorPyramid, 'face')
      const found = performance.now()
      const inferenceMs = models.inferenceMs() - inferenceBefore
      if (donorFace !== undefined) {
        for (const face of targetFaces) {
          swapFace(targetPyramid, face, donorPyramid, donorFace)
        }
      }
      const painted = performance.now()
      const encoded = await encodeImage(target)
      const times: SwapTimes = {
        decodeMs: decoded - began,
        inferenceMs,
        findMs: found - decoded - inferenceMs,
        pixelsMs: painted - found,
        encodeMs: performance.now() - painted,
      }
      return { ...encoded, times }
    },
  }
}

/** Returns 1 to `most` faces of a picture, largest first. @throws {SwapRefusal} FACE_NOT_FOUND */
export function findFaces(models: FaceModels, pyramid: Pyramid, name: 'target' | 'face', most = 1): FaceMesh[] {
  const meshes: FaceMesh[] = []
  for (const face of detectFaces(models, pyramid).slice(0, MAX_TRIES)) {
    const mesh = fitMesh(models, pyramid, uprightFace(models, pyramid, face))
    if (mesh !== null) meshes.push(mesh)
    if (meshes.length === most) break
  }
  if (meshes.length === 0) throw new SwapRefusal('FACE_NOT_FOUND', `No face was found in the ${name} image.`)
  return meshes.toSorted((a, b) => b.size - a.size)
}
