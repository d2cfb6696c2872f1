/** The number of pixels bounds the memory for decoding an image, whatever else the file contains. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { IMAGE_BOMBS } from '../support/image-bombs.ts'
import { makeImage } from '../support/images.ts'
import { makeDataDir } from '../support/test-app.ts'

/** Covers a file of 20 MB, copies of its parts, and memory that is not yet garbage-collected. */
const MAX_GROWTH_BYTES = 100_000_000

test('decoding an image with few pixels takes at most 100 MB of memory', { timeout: 240_000 }, async () => {
  const folder = await makeDataDir()
  const save = async (name: string, bytes: Buffer) => {
    const path = join(folder, name)
    await writeFile(path, bytes)
    return path
  }
  const paths = [await save('plain', await makeImage())]
  for (const [name, make] of Object.entries(IMAGE_BOMBS)) paths.push(await save(name, await make()))
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--import',
    'tsx',
    'test/support/decode-alone.ts',
    ...paths,
  ])
  const found = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { path: string; outcome: string; grownBytes: number })
  expect(found).toHaveLength(Object.keys(IMAGE_BOMBS).length)
  // Peak memory never falls, so only the first image over the limit is at fault.
  expect(found.filter(({ grownBytes }) => grownBytes > MAX_GROWTH_BYTES)).toEqual([])
  for (const { path, outcome } of found) {
    const isRefused = /million|ten thousand/.test(path)
    expect([path, outcome]).toEqual([path, isRefused ? expect.stringMatching(/has more than/) : 'decoded'])
  }
})
