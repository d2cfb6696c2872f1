import { expect, test } from 'vitest'
import { createId } from '../../../src/lib/crypto/ids.ts'

test('an id has its prefix, then 26 unambiguous characters', () => {
  expect(createId('job', 1_700_000_000_000)).toMatch(/^job_[0-9a-hjkmnp-tv-z]{26}$/)
})

test('ids sort by their time of creation', () => {
  const times = [0, 1, 31, 32, 1_000, 1_700_000_000_000, 1_700_000_000_001, 2 ** 47]
  const ids = times.map((ms) => createId('job', ms))
  expect(ids.toSorted()).toEqual(ids)
})

test('ids that are created in the same millisecond differ', () => {
  expect(new Set(Array.from({ length: 10_000 }, () => createId('job', 1))).size).toBe(10_000)
})
