/**
 * A whole swap from bytes to bytes with InsightFace's networks: find the faces, compute the donor's identity, generate
 * each target face with it, paste it back. Decoding, encoding and provenance metadata are shared with the mesh engine.
 */
import { SwapRefusal } from '../../engine-contract.ts'
import { decodeImage } from '../decode.ts'
import { encodeImage, type EncodedImage } from '../encode.ts'
import { createPyramid, type Pyramid } from '../pyramid.ts'
import { DONOR_SIDE, MAX_FACES, type SwapperOptions } from '../swapper.ts'
import { fitSimilarity, readAligned, toTemplate, type Similarity } from './align.ts'
import { toSource } from './identity.ts'
import { FACE_SIZE, openInsightFaceModels, type InsightFaceModels } from './insightface-models.ts'
import { pasteFace, SWAP_SIZE } from './paste.ts'
import { decodeScrfd, readLetterbox } from './scrfd.ts'

export interface OnnxSwapper {
  /** @throws {SwapRefusal} */
  swap(target: Uint8Array, donor: Uint8Array): Promise<EncodedImage>
}

/** @throws {SwapRefusal} ENGINE_FAILED if a model or the package is missing or wrong. */
export async function createOnnxSwapper({ maxPixels, faces }: SwapperOptions, modelsDir: string): Promise<OnnxSwapper> {
  const models = await openInsightFaceModels(modelsDir)
  return {
    swap: async (targetBytes, donorBytes) => {
      const target = await decodeImage(targetBytes, { name: 'target', maxPixels })
      const donor = await decodeImage(donorBytes, { name: 'face', maxPixels, maxSide: DONOR_SIDE })
      const targetPyramid = createPyramid(target.picture)
      const donorPyramid = createPyramid(donor.picture)
      const targetFaces = await alignFaces(models, targetPyramid, 'target', SWAP_SIZE, faces === 'all' ? MAX_FACES : 1)
      const [donorFace] = await alignFaces(models, donorPyramid, 'face', FACE_SIZE, 1)
      if (donorFace !== undefined) {
        const aligned = readAligned(donorPyramid, donorFace, FACE_SIZE, 1 / 127.5, -1)
        const source = toSource(await models.embed(aligned), models.emap)
        for (const face of targetFaces) {
          const drawn = await models.swap(readAligned(targetPyramid, face, SWAP_SIZE, 1 / 255, 0), source)
          pasteFace(targetPyramid, face, drawn)
        }
      }
      return encodeImage(target)
    },
  }
}

/** Returns the alignments of 1 to `most` faces, largest first. @throws {SwapRefusal} FACE_NOT_FOUND */
async function alignFaces(
  models: InsightFaceModels,
  pyramid: Pyramid,
  name: 'target' | 'face',
  size: 112 | 128,
  most: number,
): Promise<Similarity[]> {
  const { input, scale } = readLetterbox(pyramid)
  const template = toTemplate(size)
  const found = decodeScrfd(await models.detect(input), scale)
    .map(({ points }) => fitSimilarity(points, template))
    .filter((similarity) => similarity !== null)
    .slice(0, most)
  if (found.length === 0) throw new SwapRefusal('FACE_NOT_FOUND', `No face was found in the ${name} image.`)
  return found
}
