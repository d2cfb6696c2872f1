/** Runs the backup and restore commands of docs/OPERATIONS.md, with a `sqlite3` that works like SQLite's own shell. */
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import type { JobStore } from '../../src/store/job-store.ts'
import { createJobStore } from '../../src/store/sql/job-store.ts'
import { openDatabase } from '../../src/store/sqlite/engine.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { LIMITS, makeNewSwapJob } from '../support/jobs.ts'
import { openFakeUpstream } from '../support/fake-upstream.ts'
import { openRawDatabaseOf, makeDataDir, openTestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'
import { runBlockAfter } from './operations-block.ts'
import { expectRestored, scriptQuickSwaps, startSwaps } from './swaps-under-load.ts'

const NOW = 1_000_000
const NO_REFUSALS = { since: 0, maxPerTenant: 5, maxOverall: 15 }
/** No job may be in flight, so every job waits. */
const ROOM = { maxInFlight: 0, maxWaiting: 10 }

let folder = ''
const at = (...names: readonly string[]) => join(folder, ...names)

beforeEach(async () => {
  folder = await makeDataDir()
  await mkdir(at('bin'))
  await mkdir(at('data', 'images', 'img_1'), { recursive: true })
  await writeFile(at('data', 'images', 'img_1', 'bytes'), 'an image')
  await writeFile(at('data', 'gateway-secret'), 'a-secret-of-sixteen')
  const shell = `#!${process.execPath}
    const Database = require(${JSON.stringify(resolve('node_modules/libsql'))})
    const [path, statement] = process.argv.slice(2)
    new Database(path).exec(statement)`
  await writeFile(at('bin', 'sqlite3'), shell)
  await chmod(at('bin', 'sqlite3'), 0o755)
})

async function runBlock(words: string, edit: (block: string) => string = (block) => block): Promise<void> {
  await runBlockAfter(words, { cwd: folder, edit, env: { PATH: `${at('bin')}:${process.env['PATH']}` } })
}

/** Restores the only backup, as the document says. */
async function restore(): Promise<void> {
  const [date = ''] = await readdir(at('backup'))
  await runBlock('To restore, stop the gateway', (block) => block.replace('2026-11-29', date))
}

async function openStore(): Promise<{ readonly store: JobStore; readonly close: () => Promise<void> }> {
  const engine = await openDatabase(at('data', 'gateway.db'), () => {})
  let closing: Promise<void> | null = null
  const close = () => (closing ??= engine.db.destroy())
  closeAfterTest(close)
  return { store: createJobStore(engine), close }
}

async function backUpWithOneJobAndRestore(): Promise<void> {
  const { store, close } = await openStore()
  await store.createJob(makeNewSwapJob('job_before', NOW), ROOM, LIMITS)
  await runBlock('The gateway may keep running.')
  await store.createJob(makeNewSwapJob('job_after', NOW), ROOM, LIMITS)
  await close()
  await restore()
}

test('a backup of an open database restores its jobs, its images and its secret', async () => {
  await backUpWithOneJobAndRestore()

  const { store } = await openStore()
  expect(await store.findJob('job_before')).toMatchObject({ status: 'PENDING' })
  expect(await store.findJob('job_after')).toBeNull()
  expect(await readFile(at('data', 'images', 'img_1', 'bytes'), 'utf8')).toBe('an image')
  expect(await readFile(at('data', 'gateway-secret'), 'utf8')).toBe('a-secret-of-sixteen')
})

test('the statement for waiting jobs turns each into an expired claim, which is never submitted', async () => {
  await backUpWithOneJobAndRestore()
  await runBlock('mark the waiting jobs as submitted')

  const { store } = await openStore()
  expect(await store.findNextWaiting(NOW, NO_REFUSALS)).toBeNull()
  const [due] = await store.claimDue(NOW, NOW + 1, 10)
  expect(due).toMatchObject({ id: 'job_before', status: 'PENDING', leaseUntil: NOW })
})

test('a backup that is taken while swaps are created and end restores all that was acknowledged before it', async () => {
  const upstream = await openFakeUpstream()
  closeAfterTest(() => upstream.close())
  scriptQuickSwaps(upstream)
  const open = async () =>
    openTestApp({
      upstream,
      dataDir: at('data'),
      settings: { MAX_IN_FLIGHT: '100', ALLOWED_PRIVATE_HOSTS: `127.0.0.1:${upstream.port}` },
    })
  const running = await open()
  const load = startSwaps(running)
  await until(() => upstream.hooks.length >= 30)
  const acknowledged = await load.acknowledged()
  const before = { created: load.created(), ended: upstream.hooks.length }
  await runBlock('The gateway may keep running.')
  expect(load.created()).toBeGreaterThan(before.created)
  expect(upstream.hooks.length).toBeGreaterThan(before.ended)
  await load.stop()
  await running.app.close()
  await restore()

  const restored = await open()
  await expectRestored(restored, await openRawDatabaseOf(at('data')), acknowledged)
})
