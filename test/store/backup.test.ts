/** Runs the backup and restore commands of docs/OPERATIONS.md, with a `sqlite3` that works like SQLite's own shell. */
import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import type { JobStore } from '../../src/store/job-store.ts'
import { createJobStore } from '../../src/store/sql/job-store.ts'
import { openDatabase } from '../../src/store/sqlite/engine.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { LIMITS, makeNewSwapJob } from '../support/jobs.ts'
import { makeDataDir } from '../support/test-app.ts'

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
  await writeFile(at('data', 'gateway-secret'), 'a secret of sixteen')
  const shell = `#!${process.execPath}
    const Database = require(${JSON.stringify(resolve('node_modules/libsql'))})
    const [path, statement] = process.argv.slice(2)
    new Database(path).exec(statement)`
  await writeFile(at('bin', 'sqlite3'), shell)
  await chmod(at('bin', 'sqlite3'), 0o755)
})

/** Runs the code block that follows `words` in the document, in the folder of this test. */
async function runBlockAfter(words: string, edit: (block: string) => string = (block) => block): Promise<void> {
  const [, after = ''] = (await readFile('docs/OPERATIONS.md', 'utf8')).split(words)
  const [, block] = /^```sh\n([\s\S]*?)^```$/m.exec(after) ?? []
  if (block === undefined) throw new Error(`there is no block after "${words}"`)
  const env = { PATH: `${at('bin')}:${process.env['PATH']}` }
  execFileSync('sh', ['-e', '-c', edit(block)], { cwd: folder, env })
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
  await runBlockAfter('The gateway may keep running.')
  await store.createJob(makeNewSwapJob('job_after', NOW), ROOM, LIMITS)
  await close()
  const [date = ''] = await readdir(at('backup'))
  await runBlockAfter('To restore, stop the gateway', (block) => block.replace('2026-11-29', date))
}

test('a backup of an open database restores its jobs, its images and its secret', async () => {
  await backUpWithOneJobAndRestore()

  const { store } = await openStore()
  expect(await store.findJob('job_before')).toMatchObject({ status: 'PENDING' })
  expect(await store.findJob('job_after')).toBeNull()
  expect(await readFile(at('data', 'images', 'img_1', 'bytes'), 'utf8')).toBe('an image')
  expect(await readFile(at('data', 'gateway-secret'), 'utf8')).toBe('a secret of sixteen')
})

test('the statement for waiting jobs turns each into an expired claim, which is never submitted', async () => {
  await backUpWithOneJobAndRestore()
  await runBlockAfter('mark the waiting jobs as submitted')

  const { store } = await openStore()
  expect(await store.findNextWaiting(NOW, NO_REFUSALS)).toBeNull()
  const [due] = await store.claimDue(NOW, NOW + 1, 10)
  expect(due).toMatchObject({ id: 'job_before', status: 'PENDING', leaseUntil: NOW })
})
