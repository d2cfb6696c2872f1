/**
 * ONNX files of a few nodes, encoded with the field numbers of onnx.proto, with the inputs and outputs of InsightFace's
 * three models: the detector always finds the same faces, the embedder always returns the same embedding, and the swap
 * returns the negative of its target.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { onTestFinished } from 'vitest'

import { SCRFD_OUTPUTS } from '../../../src/engine/onnx/scrfd.ts'

export interface TinyTensor {
  readonly name: string
  readonly dims: readonly number[]
  readonly data: Float32Array
}

interface TinyNode {
  readonly type: string
  readonly inputs: readonly string[]
  readonly output: string
}

interface TinyGraph {
  readonly nodes: readonly TinyNode[]
  readonly initializers: readonly TinyTensor[]
  readonly inputs: Readonly<Record<string, readonly number[]>>
  readonly outputs: Readonly<Record<string, readonly number[]>>
}

const FLOAT = 1

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.from([...bytes, rest])
}

const int = (field: number, value: number) => Buffer.concat([varint(field * 8), varint(value)])
const nested = (field: number, ...contents: Uint8Array[]) => {
  const bytes = Buffer.concat(contents)
  return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes])
}
const text = (field: number, value: string) => nested(field, Buffer.from(value))

function tensor({ name, dims, data }: TinyTensor): Buffer {
  const raw = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  return nested(5, ...dims.map((side) => int(1, side)), int(2, FLOAT), text(8, name), nested(9, raw))
}

function valueInfo(field: number, name: string, dims: readonly number[]): Buffer {
  const shape = nested(2, ...dims.map((side) => nested(1, int(1, side))))
  return nested(field, text(1, name), nested(2, nested(1, int(1, FLOAT), shape)))
}

export function writeModel({ nodes, initializers, inputs, outputs }: TinyGraph): Buffer {
  const graph = nested(
    7,
    ...nodes.map(({ type, inputs: from, output }) =>
      nested(1, ...from.map((name) => text(1, name)), text(2, output), text(4, type)),
    ),
    text(2, 'tiny'),
    ...initializers.map(tensor),
    ...Object.entries(inputs).map(([name, dims]) => valueInfo(11, name, dims)),
    ...Object.entries(outputs).map(([name, dims]) => valueInfo(12, name, dims)),
  )
  return Buffer.concat([int(1, 8), text(2, 'test'), graph, nested(8, text(1, ''), int(2, 13))])
}

/** Writes a model that returns constant tensors for any input. */
function writeConstants(inputs: TinyGraph['inputs'], constants: readonly TinyTensor[]): Buffer {
  return writeModel({
    nodes: constants.map(({ name }) => ({ type: 'Identity', inputs: [name], output: `${name}-out` })),
    initializers: constants,
    inputs,
    outputs: Object.fromEntries(constants.map(({ name, dims }) => [`${name}-out`, dims])),
  })
}

/** Returns the detector's outputs for one face at an anchor of stride 32; `points` are in strides from the anchor. */
export function toDetectorOutputs(column: number, row: number, points: readonly number[]): Float32Array[] {
  const outputs = SCRFD_OUTPUTS.map((length) => new Float32Array(length))
  const anchor = (row * 20 + column) * 2
  outputs[2]?.set([0.9], anchor)
  outputs[5]?.set([3, 4, 3, 4], 4 * anchor)
  outputs[8]?.set(points, 10 * anchor)
  return outputs
}

export function writeDetector(outputs: readonly Float32Array[]): Buffer {
  const constants = outputs.map((data, i) => {
    const values = [1, 4, 10][Math.floor(i / 3)] ?? 1
    return { name: `grid-${i}`, dims: [data.length / values, values], data }
  })
  return writeConstants({ 'input.1': [1, 3, 640, 640] }, constants)
}

export function writeEmbedder(): Buffer {
  const data = Float32Array.from({ length: 512 }, (_, i) => i % 7)
  return writeConstants({ 'input.1': [1, 3, 112, 112] }, [{ name: 'embedding', dims: [1, 512], data }])
}

export const EMAP: TinyTensor = {
  name: 'emap',
  dims: [512, 512],
  data: Float32Array.from({ length: 512 * 512 }, (_, i) => (i % 513 === 0 ? 1 : 0)),
}

/** @param last the initializer that holds the matrix in a real model. */
export function writeSwapper(last: TinyTensor = EMAP): Buffer {
  return writeModel({
    nodes: [{ type: 'Sub', inputs: ['one', 'target'], output: 'face' }],
    initializers: [{ name: 'one', dims: [1], data: Float32Array.of(1) }, last],
    inputs: { target: [1, 3, 128, 128], source: [1, 512] },
    outputs: { face: [1, 3, 128, 128] },
  })
}

/** Landmarks of a face 6 strides wide, in strides of 32 pixels from the detector's anchor. */
export const FACE_POINTS = [-1.1, -1, 1.1, -1, 0, 0.3, -0.9, 1.6, 0.9, 1.6] as const

/** Creates a folder with the three models, removed after the test. @param files replace a model; null leaves it out. */
export async function makeModels(files: Readonly<Record<string, Uint8Array | null>> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'models-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const all: Record<string, Uint8Array | null> = {
    'det_10g.onnx': writeDetector(toDetectorOutputs(10, 10, FACE_POINTS)),
    'w600k_r50.onnx': writeEmbedder(),
    'inswapper_128.onnx': writeSwapper(),
    ...files,
  }
  for (const [name, bytes] of Object.entries(all)) {
    if (bytes !== null) await writeFile(join(folder, name), bytes)
  }
  return folder
}
