/** Copies an embedded database to PostgreSQL with the real command. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { createJobStore } from '../../../src/store/sql/job-store.ts'
import { openDatabase as openPostgres } from '../../../src/store/postgres/engine.ts'
import { openDatabase as openSqlite } from '../../../src/store/sqlite/engine.ts'
import { createDatabase } from '../../support/postgres.ts'
import { closeAfterTest } from '../../support/close-after-test.ts'
import { makeDataDir } from '../../support/test-app.ts'
import { makeNewSwapJob } from '../../support/jobs.ts'

const NOW = 1_700_000_000_000
const JOBS = 1_200

const run = async (...args: readonly string[]) =>
  promisify(execFile)(process.execPath, ['dist/copy-database.js', ...args])

const NO_LIMITS = {
  since: 0,
  quota: null,
  maxUnfinished: null,
  maxWaiting: null,
  contentRefusals: { since: 0, maxPerTenant: 1, maxOverall: 1 },
}

async function openBoth() {
  const path = join(await makeDataDir(), 'gateway.db')
  const { url, drop } = await createDatabase()
  closeAfterTest(drop)
  const source = await openSqlite(path, () => {})
  const store = createJobStore(source)
  await Promise.all(
    Array.from({ length: JOBS }, async (_unused, n) =>
      store.createJob(
        makeNewSwapJob(`job_${String(n).padStart(22, '0')}`, NOW + n, {
          tenant: n % 2 ? 'a' : 'b',
          clientReference: 'ü "quoted"',
          tags: ['one'],
          idempotency: { key: `k${n}`, fingerprint: 'f', sealedKeys: [] },
        }),
        { maxInFlight: 1, maxWaiting: 10_000 },
        NO_LIMITS,
      ),
    ),
  )
  return { path, url, store, close: async () => source.db.destroy() }
}

test('copy-database is refused while a gateway runs; after that it copies everything once, in the order of changes', async () => {
  const { path, url, store, close } = await openBoth()
  const range = { after: 0, upTo: Number.MAX_SAFE_INTEGER, limit: 10_000, unfinished: false }
  const ids = (await store.listLatestChanges(0, 10)).map(({ id }) => id)
  const [changes, timelines] = await Promise.all([store.listChanges('a', range), store.listTimelines(ids)])
  await expect(run(`file:${path}`, url)).rejects.toThrow('A gateway is using')
  await close()
  const { stdout } = await run(`file:${path}`, url)
  expect(stdout).toBe(`Copied: jobs ${JOBS}, job_timeline ${JOBS}, idempotency_keys ${JOBS}, job_tags ${JOBS}.\n`)
  const target = await openPostgres(
    url,
    () => {},
    () => {},
  )
  closeAfterTest(() => target.db.destroy())
  const copied = createJobStore(target)
  expect(await copied.listChanges('a', range)).toEqual(changes)
  expect(await copied.listTimelines(ids)).toEqual(timelines)
  const last = await copied.findLastChange('a')
  const [job] = await copied.findJobs(ids)
  if (!job) throw new Error('no job')
  await copied.applyDecision(job, { kind: 'transition', to: 'FAILED', patch: {} }, NOW, 'SUBMIT')
  expect((await copied.listLatestChanges(last, 10)).map(({ id }) => id)).toEqual([job.id])

  await expect(run(`file:${path}`, url)).rejects.toThrow('already has jobs')
})

test('copy-database prints its usage, and the reason if a database cannot be used', async () => {
  await expect(run()).rejects.toThrow('Usage: npm run copy-database')
  await expect(run('file:/nowhere/gateway.db', 'postgres://localhost/x')).rejects.toThrow('No database exists at')
  const path = join(await makeDataDir(), 'text')
  writeFileSync(path, 'This is no database, whatever its name says. '.repeat(100))
  const badPassword = run(`file:${path}`, 'postgres://user:50%off@localhost/x')
  await expect(badPassword).rejects.toThrow(/DATABASE_URL must have the special characters .* percent-encoded/)
  await expect(run(`file:${path}`, 'postgres://localhost/x')).rejects.toThrow('not a database of this gateway')
})
