/** The package through its entry point, which the gateway loads. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { createClosers } from '../../../src/lib/async/closers.ts'
import { ModelsError, openEmbeddedUpstream, type SwapFaceEvent } from '../src/index.ts'

const closers = createClosers()
afterEach(() => closers.closeAll())

async function open(modelsDir: string | null, events: SwapFaceEvent[] = []) {
  const dataDir = await mkdtemp(join(tmpdir(), 'swapface-package-'))
  closers.add(() => rm(dataDir, { recursive: true }))
  const upstream = await openEmbeddedUpstream({
    host: '127.0.0.1',
    port: 0,
    apiKey: 'the-key',
    dataDir,
    allowedPrivateHosts: [],
    modelsDir,
    log: (event) => events.push(event),
  })
  closers.add(() => upstream.close())
  return upstream
}

test('the embedded upstream serves its portraits at the addresses that it names', async () => {
  const { portraits } = await open(null)
  expect(portraits.length).toBeGreaterThan(1)
  const answers = await Promise.all(portraits.map(async ({ url }) => fetch(url)))
  expect(answers.map(({ status, headers }) => [status, headers.get('content-type')])).toEqual(
    portraits.map(() => [200, 'image/jpeg']),
  )
})

test('the embedded upstream closes during its warm-up without reporting a fault', async () => {
  const events: SwapFaceEvent[] = []
  const upstream = await open(null, events)
  upstream.warmUp()
  await upstream.close()
  expect(events.filter(({ event }) => event === 'fault')).toEqual([])
})

test('the embedded upstream refuses a folder without models, with the reason', async () => {
  const opened = open(join(tmpdir(), 'there-are-no-models-here'))
  await expect(opened).rejects.toThrow(ModelsError)
  await expect(opened).rejects.toThrow(/models/)
})
