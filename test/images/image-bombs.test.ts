/** The memory that decoding takes is bounded by the pixels of an image, whatever else is in its file. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { IMAGE_BOMBS } from '../support/image-bombs.ts'
import { makeImage } from '../support/images.ts'
import { makeDataDir } from '../support/test-app.ts'

/** A file of 20 MB, the parts of it that are copied, and what the collector has not freed yet. */
const MAX_GROWTH_BYTES = 100_000_000

test('no image of few pixels makes the process grow by more than 100 MB', { timeout: 240_000 }, async () => {
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
  // The first that exceeds it is the one to look at: it is the most that the process has held until then.
  expect(found.filter(({ grownBytes }) => grownBytes > MAX_GROWTH_BYTES)).toEqual([])
  for (const { path, outcome } of found) {
    const isRefused = /million|ten thousand/.test(path)
    expect([path, outcome]).toEqual([path, isRefused ? expect.stringMatching(/has more than/) : 'decoded'])
  }
})
