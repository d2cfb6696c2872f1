import { expect, test } from 'vitest'
import { extractEssentials } from '../../../src/lib/image/essential-image.ts'
import { sha256, sha256OfLarge } from '../../../src/lib/crypto/sha256.ts'
import { countTurns } from '../../support/count-turns.ts'
import { withJpegSegments, withPngChunks, withWebpChunks } from '../../support/image-bombs.ts'
import { makeImage } from '../../support/images.ts'

const MEGABYTE = 1_000_000
const PARTS = 20_000
const EMPTY = Buffer.alloc(0)
const END = Buffer.from([0xff, 0xd9])

test('the event loop runs between steps while a JPEG with 10 MB of image data is read', async () => {
  const jpeg = await makeImage('jpeg')
  const long = Buffer.concat([jpeg.subarray(0, -2), Buffer.alloc(10 * MEGABYTE, 1), END])
  // The data is searched for the end of the scan, then copied.
  expect(await countTurns(async () => extractEssentials(long, 'image/jpeg'))).toBeGreaterThan(70)
})

test.each([
  ['image/jpeg', async () => withJpegSegments(await makeImage('jpeg'), listParts([0xfe, EMPTY]))],
  ['image/png', async () => withPngChunks(await makeImage('png'), listParts(['tEXt', EMPTY]))],
  ['image/webp', async () => withWebpChunks(await makeImage('webp'), 0, listParts(['none', EMPTY]), [])],
] as const)('the event loop runs between steps while an %s of 20,000 parts is read', async (type, make) => {
  const file = await make()
  expect(await countTurns(async () => extractEssentials(file, type))).toBeGreaterThan(8)
})

test('the event loop runs between steps while 10 MB are hashed, and the digest covers all of them', async () => {
  const bytes = Buffer.alloc(10 * MEGABYTE + 7, 'abc')
  let digest = ''
  const turns = await countTurns(async () => {
    digest = await sha256OfLarge(bytes)
  })
  expect(turns).toBeGreaterThan(30)
  expect(digest).toBe(sha256(bytes))
})

function listParts<T>(part: T): T[] {
  return Array.from({ length: PARTS }, () => part)
}
