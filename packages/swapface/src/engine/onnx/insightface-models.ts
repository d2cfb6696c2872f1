/**
 * The three InsightFace models in the operator's folder. Each runs once on a blank input when it is opened, so that a
 * wrong model fails at startup and not for the first caller. Inputs and outputs are identified by their order, as in
 * InsightFace: their names differ between exports.
 */
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'

import { IDENTITY_SIZE } from './identity.ts'
import { readLastInitializer, type ReadBytes } from './initializer.ts'
import { SWAP_SIZE } from './paste.ts'
import { loadRuntime, refuse, type OnnxRuntime } from './runtime.ts'
import { SCRFD_OUTPUTS, SCRFD_SIZE } from './scrfd.ts'

export const FACE_SIZE = 112

interface ModelKind {
  readonly file: string
  readonly inputs: readonly (readonly number[])[]
  /** Floats in each output. */
  readonly outputs: readonly number[]
}

type RunModel = (...inputs: Float32Array[]) => Promise<Float32Array[]>

export interface InsightFaceModels {
  /** 3 x 640 x 640 to the nine outputs that `decodeScrfd` reads. */
  detect(input: Float32Array): Promise<Float32Array[]>
  /** 3 x 112 x 112 to 512 floats. */
  embed(input: Float32Array): Promise<Float32Array>
  /** 3 x 128 x 128 and a source of 512 floats to 3 x 128 x 128, 0 to 1. */
  swap(target: Float32Array, source: Float32Array): Promise<Float32Array>
  /** 512 x 512. */
  readonly emap: Float32Array
}

const DETECTOR: ModelKind = {
  file: 'det_10g.onnx',
  inputs: [[1, 3, SCRFD_SIZE, SCRFD_SIZE]],
  outputs: SCRFD_OUTPUTS,
}
const EMBEDDER: ModelKind = {
  file: 'w600k_r50.onnx',
  inputs: [[1, 3, FACE_SIZE, FACE_SIZE]],
  outputs: [IDENTITY_SIZE],
}
const SWAPPER: ModelKind = {
  file: 'inswapper_128.onnx',
  inputs: [
    [1, 3, SWAP_SIZE, SWAP_SIZE],
    [1, IDENTITY_SIZE],
  ],
  outputs: [3 * SWAP_SIZE * SWAP_SIZE],
}

/** @throws {SwapRefusal} ENGINE_FAILED; the message names the file or the package and says what to do. */
export async function openInsightFaceModels(folder: string): Promise<InsightFaceModels> {
  await checkFiles(folder)
  const runtime = loadRuntime()
  // The cheapest check first: it reads a megabyte of the file.
  const emap = await readEmap(folder)
  const detect = await openModel(runtime, folder, DETECTOR)
  const embed = await openModel(runtime, folder, EMBEDDER)
  const swap = await openModel(runtime, folder, SWAPPER)
  return {
    detect,
    embed: async (input) => firstOf(await embed(input)),
    swap: async (target, source) => firstOf(await swap(target, source)),
    emap,
  }
}

async function checkFiles(folder: string): Promise<void> {
  const missing: string[] = []
  for (const { file } of [DETECTOR, EMBEDDER, SWAPPER]) {
    const found = await stat(join(folder, file)).catch(() => null)
    if (found === null || !found.isFile()) missing.push(file)
  }
  if (missing.length === 0) return
  const are = missing.length === 1 ? 'is' : 'are'
  throw refuse(`${missing.join(', ')} ${are} not in the folder. Put the InsightFace models there under these names.`)
}

async function readEmap(folder: string): Promise<Float32Array> {
  const { file } = SWAPPER
  const handle = await open(join(folder, file)).catch((error: unknown) => {
    throw refuse(`${file} cannot be read. Check its permissions.`, error)
  })
  try {
    const { size } = await handle.stat()
    const read: ReadBytes = async (position, length) => {
      const { buffer, bytesRead } = await handle.read({ buffer: new Uint8Array(length), position })
      return buffer.subarray(0, bytesRead)
    }
    const emap = await readLastInitializer(read, size, [IDENTITY_SIZE, IDENTITY_SIZE])
    if (emap !== null) return emap
  } finally {
    await handle.close()
  }
  throw refuse(
    `${file} is not the InsightFace model of that name: its last initializer is not a matrix of 512 x 512 floats. Copy the file again.`,
  )
}

async function openModel(
  { InferenceSession, Tensor }: OnnxRuntime,
  folder: string,
  kind: ModelKind,
): Promise<RunModel> {
  const { file, inputs, outputs } = kind
  // Errors only: the operator cannot act on warnings about a model's export.
  const session = await InferenceSession.create(join(folder, file), { logSeverityLevel: 3 }).catch((error: unknown) => {
    throw refuse(`${file} is not a model that onnxruntime-node can read. Copy the file again.`, error)
  })
  const { inputNames, outputNames } = session

  const run: RunModel = async (...values) => {
    const feeds = inputNames.map((name, i) => [
      name,
      new Tensor('float32', values[i] ?? new Float32Array(), inputs[i] ?? []),
    ])
    const results = await session.run(Object.fromEntries(feeds))
    return outputNames.map((name) => {
      const data = results[name]?.data
      if (data instanceof Float32Array) return data
      throw new TypeError(`${file}: the output ${name} is not of floats`)
    })
  }

  const expected = `it takes ${inputs.map((dims) => dims.join(' x ')).join(' and ')} floats and returns ${outputs.join(', ')}`
  const refuseShape = (cause?: unknown) =>
    refuse(
      `${file} has other inputs or outputs than the InsightFace model of that name: ${expected}. Copy the file again.`,
      cause,
    )
  if (inputNames.length !== inputs.length || outputNames.length !== outputs.length) throw refuseShape()
  const blank = inputs.map((dims) => new Float32Array(dims.reduce((product, side) => product * side, 1)))
  const given = await run(...blank).catch((error: unknown) => {
    throw refuseShape(error)
  })
  if (given.map((values) => values.length).join() !== outputs.join()) throw refuseShape()
  return run
}

function firstOf([first]: readonly Float32Array[]): Float32Array {
  if (first === undefined) throw new TypeError('The model has fewer outputs than when it was opened.')
  return first
}
