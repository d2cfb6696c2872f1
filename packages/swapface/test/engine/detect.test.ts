import { describe, expect, it } from 'vitest'

import { decodeDetections, joinFaces, wrapAngle, type DetectedFace } from '../../src/engine/detect.ts'

const face = (part: Partial<DetectedFace>): DetectedFace => ({
  x: 100,
  y: 100,
  size: 50,
  roll: 0,
  score: 0.9,
  doubtful: false,
  ...part,
})

describe('decodeDetections', () => {
  it('places a face at its anchor, with the rotation of its eyes', () => {
    const logits = new Float32Array(896).fill(-10)
    const regressions = new Float32Array(896 * 16)
    // The second anchor of the second cell: centre 24, 8.
    logits[3] = 4
    regressions.set([1, 2, 40, 44, -10, 0, 10, 20], 3 * 16)
    const [found, ...more] = decodeDetections({ logits, regressions }, 0.5)
    expect(more).toEqual([])
    expect(found).toMatchObject({ x: 25, y: 10, size: 44 })
    expect(found?.roll).toBeCloseTo(Math.PI / 4, 5)
    expect(found?.score).toBeCloseTo(0.982, 3)
  })

  it('drops faces below the requested score', () => {
    const logits = new Float32Array(896).fill(0.1)
    expect(decodeDetections({ logits, regressions: new Float32Array(896 * 16) }, 0.6)).toEqual([])
  })
})

describe('joinFaces', () => {
  it('merges overlapping detections to one face at the weighted mean', () => {
    const joined = joinFaces([face({ x: 100, score: 0.6 }), face({ x: 110, score: 0.9 })])
    expect(joined).toHaveLength(1)
    expect(joined[0]).toMatchObject({ score: 0.9, x: 106 })
  })

  it('keeps faces that do not overlap, most confident first', () => {
    expect(joinFaces([face({ score: 0.7 }), face({ x: 300, score: 0.8 })]).map(({ x }) => x)).toEqual([300, 100])
  })

  it('prefers a face seen upright in the whole picture to one in a tile, whatever its score', () => {
    expect(joinFaces([face({ score: 0.99, doubtful: true }), face({ score: 0.6 })])).toMatchObject([
      { doubtful: false },
    ])
  })

  it('merges a small face inside a large one', () => {
    expect(joinFaces([face({ size: 100 }), face({ size: 30, score: 0.6 })])).toHaveLength(1)
  })
})

describe('wrapAngle', () => {
  it('maps every angle to within half a turn', () => {
    expect(wrapAngle(3 * Math.PI + 0.5)).toBeCloseTo(-Math.PI + 0.5, 9)
    expect(wrapAngle(-0.3)).toBeCloseTo(-0.3, 9)
  })
})
