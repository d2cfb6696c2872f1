/**
 * The engine's two networks, MediaPipe's BlazeFace and FaceMesh, on the WebAssembly backend of TensorFlow.js. Their
 * files come from the npm package @vladmandic/human, whose code is not loaded. This module disposes of every tensor
 * that it creates; callers get plain arrays.
 */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

import * as wasm from '@tensorflow/tfjs-backend-wasm'
import * as converter from '@tensorflow/tfjs-converter'
import * as tf from '@tensorflow/tfjs-core'

export const DETECTOR_SIZE = 256
export const MESH_SIZE = 192

/** Raw outputs of the detector for its 896 anchors: one logit of the score and 16 regressions each. */
export interface DetectorOutput {
  readonly logits: Float32Array
  readonly regressions: Float32Array
}

export interface MeshOutput {
  /** x, y, z of each of the 468 points in pixels of the input. */
  readonly points: Float32Array
  /** Confidence that the input contains a face, 0 to 1. */
  readonly flag: number
}

export interface FaceModels {
  /** 256 x 256 x 3 floats, -1 to 1; fill it before `runDetector`. Shared by all runs: a swap makes about twenty. */
  readonly detectorInput: Float32Array
  /** 192 x 192 x 3 floats, 0 to 1; fill it before `runMesh`. */
  readonly meshInput: Float32Array
  runDetector(): DetectorOutput
  runMesh(): MeshOutput
  /** Returns the number of live tensors; constant between swaps. */
  countTensors(): number
  /** Returns the total time spent in both networks. */
  inferenceMs(): number
}

interface ModelFile {
  readonly modelTopology: object
  readonly format: string
  readonly weightsManifest: readonly { readonly paths: readonly string[]; readonly weights: [] }[]
}

export async function openFaceModels(): Promise<FaceModels> {
  const { modelsDir, wasmDir } = findAssets()
  wasm.setWasmPaths(wasmDir)
  await tf.setBackend('wasm')
  await tf.ready()

  async function load(name: string): Promise<converter.GraphModel> {
    const file: ModelFile = JSON.parse(await readFile(join(modelsDir, `${name}.json`), 'utf8'))
    const paths = file.weightsManifest.flatMap((group) => group.paths)
    const weights = await Promise.all(paths.map((path) => readFile(join(modelsDir, path))))
    return converter.loadGraphModel({
      load: async () => ({
        modelTopology: file.modelTopology,
        format: file.format,
        weightSpecs: file.weightsManifest.flatMap((group) => group.weights),
        weightData: new Uint8Array(Buffer.concat(weights)).buffer,
      }),
    })
  }
  const detector = await load('blazeface')
  const mesh = await load('facemesh')
  let spentMs = 0

  function run(model: converter.GraphModel, input: Float32Array, size: number): Map<number, Float32Array> {
    const began = performance.now()
    const outputs = new Map<number, Float32Array>()
    tf.tidy(() => {
      const result = model.execute(tf.tensor4d(input, [1, size, size, 3]))
      if (!Array.isArray(result)) throw new TypeError('The models must have several outputs each.')
      // The outputs of each network differ in size, which identifies them.
      for (const tensor of result) outputs.set(tensor.size, Float32Array.from(tensor.dataSync()))
    })
    spentMs += performance.now() - began
    return outputs
  }

  const detectorInput = new Float32Array(DETECTOR_SIZE * DETECTOR_SIZE * 3)
  const meshInput = new Float32Array(MESH_SIZE * MESH_SIZE * 3)
  return {
    detectorInput,
    meshInput,
    runDetector() {
      const outputs = run(detector, detectorInput, DETECTOR_SIZE)
      return {
        logits: join2(outputs.get(512), outputs.get(384)),
        regressions: join2(outputs.get(512 * 16), outputs.get(384 * 16)),
      }
    },
    runMesh() {
      const outputs = run(mesh, meshInput, MESH_SIZE)
      return { points: join2(outputs.get(468 * 3), undefined), flag: outputs.get(1)?.[0] ?? 0 }
    },
    countTensors: () => tf.memory().numTensors,
    inferenceMs: () => spentMs,
  }
}

/** Finds the engine's binary files: beside the built program, or in the packages that `build.mjs` copies them from. */
function findAssets(): { readonly modelsDir: string; readonly wasmDir: string } {
  if (import.meta.url.endsWith('.js')) {
    const assets = fileURLToPath(new URL('./assets/', import.meta.url))
    return { modelsDir: assets, wasmDir: assets }
  }
  const require = createRequire(import.meta.url)
  return {
    modelsDir: fileURLToPath(new URL('../models/', pathToFileURL(require.resolve('@vladmandic/human')))),
    wasmDir: fileURLToPath(new URL('./', pathToFileURL(require.resolve('@tensorflow/tfjs-backend-wasm')))),
  }
}

function join2(first: Float32Array | undefined, second: Float32Array | undefined): Float32Array {
  if (first === undefined) throw new TypeError('The model files are not those of the pinned package version.')
  if (second === undefined) return first
  const joined = new Float32Array(first.length + second.length)
  joined.set(first)
  joined.set(second, first.length)
  return joined
}
