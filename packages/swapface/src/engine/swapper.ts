/**
 * A whole swap from bytes to bytes, in the thread that calls it. The worker runs it; the bench and the contact sheet call
 * it directly, to see inside.
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
  /** Which of the target's faces are replaced; the donor gives its largest. */
  readonly faces: TargetFaces
}

export interface SwapTimes {
  readonly decodeMs: number
  /** Inside the two networks, for both pictures. */
  readonly inferenceMs: number
  /** Finding the faces without the time inside the networks. */
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

// Twice the largest working face: more donor is read in vain.
export const DONOR_SIDE = 2048
// A crowd is not a portrait; each face costs as much as the first.
export const MAX_FACES = 12
// What the detector takes for faces in a picture full of patterns is looked at no more often than this.
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

/** Up to `most` faces of a picture, the largest first; at least one. */
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
