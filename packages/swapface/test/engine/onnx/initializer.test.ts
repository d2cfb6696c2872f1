import { describe, expect, test } from 'vitest'

import { toSource } from '../../../src/engine/onnx/identity.ts'
import { readLastInitializer } from '../../../src/engine/onnx/initializer.ts'
import { EMAP, writeModel, writeSwapper } from './tiny-onnx.ts'

const readFrom =
  (bytes: Uint8Array, asked: number[] = []) =>
  (at: number, length: number) => {
    asked.push(length)
    return Promise.resolve(bytes.subarray(at, at + length))
  }

const readLast = (bytes: Uint8Array, shape: readonly number[]) =>
  readLastInitializer(readFrom(bytes), bytes.length, shape)

const small = { name: 'last', dims: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }

describe('readLastInitializer', () => {
  test('returns the last initializer, and reads little else of the file', async () => {
    const model = writeModel({ nodes: [], initializers: [EMAP, small], inputs: {}, outputs: {} })
    const asked: number[] = []
    const found = await readLastInitializer(readFrom(model, asked), model.length, [2, 3])
    expect(found).toEqual(small.data)
    expect(asked.reduce((sum, length) => sum + length, 0)).toBeLessThan(500)
  })

  test('reads packed dimensions and packed floats', async () => {
    const floats = Buffer.from(small.data.buffer)
    const tensor = Buffer.concat([Buffer.from([0x0a, 2, 2, 3, 0x10, 1, 0x22, floats.length]), floats])
    const graph = Buffer.concat([Buffer.from([0x2a, tensor.length]), tensor])
    const model = Buffer.concat([Buffer.from([0x3a, graph.length]), graph])
    expect(await readLast(model, [2, 3])).toEqual(small.data)
  })

  test('returns null for another shape, another type, or a missing initializer', async () => {
    const model = writeModel({ nodes: [], initializers: [small], inputs: {}, outputs: {} })
    expect(await readLast(model, [3, 2])).toBeNull()
    const type = model.indexOf(Buffer.from([0x10, 1, 0x42]))
    const halves = Buffer.from(model)
    halves[type + 1] = 10
    expect(await readLast(halves, [2, 3])).toBeNull()
    expect(await readLast(writeModel({ nodes: [], initializers: [], inputs: {}, outputs: {} }), [2, 3])).toBeNull()
  })

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('this is not a model')],
    ['a length beyond the end', Buffer.from([0x3a, 0xff, 0xff, 0xff, 0xff, 0x7f])],
    ['a number without an end', Buffer.alloc(64, 0xff)],
    ['more fields than any model has', Buffer.alloc(300_000, Buffer.from([0x08, 0x00]))],
  ])('returns null for %s', async (_name, bytes) => {
    expect(await readLast(bytes, [2, 3])).toBeNull()
  })

  test('returns null for a model that is truncated at any byte', async () => {
    const model = writeModel({ nodes: [], initializers: [small], inputs: {}, outputs: {} })
    const end = model.indexOf(Buffer.from([0x42, 0x02, 0x0a]))
    for (let length = 0; length < end; length++) expect(await readLast(model.subarray(0, length), [2, 3])).toBeNull()
  })

  test('finds the matrix of a model with the shape that the engine requests', async () => {
    expect(await readLast(writeSwapper(), [512, 512])).toEqual(EMAP.data)
  })
})

describe('toSource', () => {
  test('multiplies the embedding with the matrix, row by column, to length 1', () => {
    const emap = new Float32Array(512 * 512)
    // From 0 to 1 three times, from 1 to 2 four times.
    emap[1] = 3
    emap[512 + 2] = 4
    const embedding = new Float32Array(512)
    embedding.set([7, 7])
    const source = toSource(embedding, emap)
    expect(source[0]).toBe(0)
    expect(source[1]).toBeCloseTo(0.6, 6)
    expect(source[2]).toBeCloseTo(0.8, 6)
  })

  test('returns zeros for an embedding of zeros', () => {
    expect(toSource(new Float32Array(512), EMAP.data)).toEqual(new Float32Array(512))
  })
})
