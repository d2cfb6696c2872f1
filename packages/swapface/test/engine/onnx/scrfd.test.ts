import { describe, expect, test } from 'vitest'

import {
  decodeScrfd,
  readLetterbox,
  SCRFD_OUTPUTS,
  suppressOverlaps,
  type ScrfdFace,
} from '../../../src/engine/onnx/scrfd.ts'
import { createPyramid } from '../../../src/engine/pyramid.ts'
import { FACE_POINTS, toDetectorOutputs } from './tiny-onnx.ts'

function faceAt(left: number, top: number, side: number, score: number): ScrfdFace {
  return { score, left, top, right: left + side, bottom: top + side, points: new Float32Array(10) }
}

test('SCRFD_OUTPUTS has three grids with two anchors per cell', () => {
  expect(SCRFD_OUTPUTS).toEqual([12800, 3200, 800, 51200, 12800, 3200, 128000, 32000, 8000])
})

describe('readLetterbox', () => {
  test('puts the picture in the upper left and leaves the rest black', () => {
    const picture = { width: 4, height: 2, rgb: new Uint8Array(4 * 2 * 3).fill(255) }
    const { input, scale } = readLetterbox(createPyramid(picture))
    expect(scale).toBe(160)
    expect(input[319 * 640 + 639]).toBeCloseTo(127.5 / 128, 5)
    expect(input[321 * 640]).toBeCloseTo(-127.5 / 128, 5)
  })
})

describe('decodeScrfd', () => {
  test('converts boxes and landmarks from strides around the anchor to picture pixels', () => {
    const [face, ...others] = decodeScrfd(toDetectorOutputs(10, 5, FACE_POINTS), 0.5)
    expect(others).toEqual([])
    expect(face).toMatchObject({ left: 448, top: 64, right: 832, bottom: 576 })
    expect(face?.points[0]).toBeCloseTo((320 - 1.1 * 32) / 0.5, 3)
    expect(face?.points[1]).toBeCloseTo((160 - 32) / 0.5, 3)
    expect(face?.score).toBeCloseTo(0.9, 5)
  })

  test('finds no face if no score is high enough, or a score is not a number', () => {
    const outputs = SCRFD_OUTPUTS.map((length) => new Float32Array(length).fill(0.49))
    expect(decodeScrfd(outputs, 1)).toEqual([])
    expect(
      decodeScrfd(
        outputs.map((values) => values.fill(Number.NaN)),
        1,
      ),
    ).toEqual([])
  })

  test('returns the largest face first', () => {
    const outputs = toDetectorOutputs(3, 3, FACE_POINTS)
    const small = (15 * 20 + 15) * 2
    outputs[2]?.set([0.99], small)
    outputs[5]?.set([1, 1, 1, 1], 4 * small)
    expect(decodeScrfd(outputs, 1).map(({ right, left }) => right - left)).toEqual([192, 64])
  })
})

describe('suppressOverlaps', () => {
  test('keeps the most confident of overlapping faces, and every face that overlaps no other', () => {
    const faces = [faceAt(0, 0, 100, 0.6), faceAt(10, 10, 100, 0.9), faceAt(300, 0, 50, 0.7), faceAt(80, 80, 100, 0.8)]
    expect(suppressOverlaps(faces).map(({ score }) => score)).toEqual([0.9, 0.8, 0.7])
  })

  test('compares at most a thousand faces', () => {
    const faces = Array.from({ length: 1500 }, (_, i) => faceAt(20 * i, 0, 10, 0.9))
    expect(suppressOverlaps(faces)).toHaveLength(1000)
  })
})
