import { expect, test } from 'vitest'
import { concatLarge } from '../../../src/lib/async/concat-large.ts'
import { sha256 } from '../../../src/lib/crypto/sha256.ts'
import { countTurns } from '../../support/count-turns.ts'

const MIB = 1_024 * 1_024

test('parts of any size are joined as Buffer.concat joins them', async () => {
  const parts = [0, 1, 65_536, 65_537, 300_000, 0, 7].map((length, n) => Buffer.alloc(length, n + 1))
  expect(sha256(await concatLarge(parts))).toBe(sha256(Buffer.concat(parts)))
  expect(await concatLarge([])).toHaveLength(0)
})

test('the event loop runs while a large part, or many small ones, are joined', async () => {
  const small = Buffer.alloc(256)
  expect(await countTurns(() => concatLarge([Buffer.alloc(4 * MIB)]))).toBeGreaterThanOrEqual(15)
  expect(await countTurns(() => concatLarge(Array.from({ length: 16_384 }, () => small)))).toBeGreaterThanOrEqual(15)
})
