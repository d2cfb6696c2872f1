import { CompiledQuery, sql } from 'kysely'
import { expect, test } from 'vitest'
import type { SwapJobStatus } from '../../../src/domain/swap-job.ts'
import { USAGE_STEP_MS } from '../../../src/store/job-store.ts'
import { readFigures } from '../../../src/store/sql/job-figures.ts'
import { createJobStore } from '../../../src/store/sql/job-store.ts'
import { LIMITS, makeNewSwapJob } from '../../support/jobs.ts'
import { openEngine } from '../../support/open-engine.ts'
import { isOnPostgres } from '../../support/raw-database.ts'
import { recordQueries } from '../../support/record-queries.ts'

const START = USAGE_STEP_MS * 2_000_000

async function openStore() {
  const engine = await openEngine()
  const store = createJobStore(engine)
  /** Records a job that waits, or is being submitted if it has a lease. */
  const create = async (id: string, tenant: string, createdAt: number, leaseUntil: number | null = null) => {
    const job = makeNewSwapJob(id, createdAt, { tenant, leaseUntil })
    await store.createJob(job, { maxInFlight: 1_000, maxWaiting: 1_000 }, LIMITS)
  }
  const end = async (id: string, status: SwapJobStatus) => {
    await engine.db.updateTable('jobs').set({ status, finished_at: START }).where('id', '=', id).execute()
  }
  return { engine, store, create, end }
}

test('the figures count the jobs of all tenants by status, and the waiting ones of the largest tenant', async () => {
  const { store, create, end } = await openStore()
  expect(await store.readFigures(START)).toMatchObject({
    waiting: 0,
    waitingOfLargestTenant: 0,
    oldestUnfinishedAt: null,
  })
  await create('job_old', 'a', START - USAGE_STEP_MS)
  await create('job_sent', 'c', START - 3 * USAGE_STEP_MS, START + 1)
  for (const n of [1, 2]) await create(`job_waiting_${n}`, 'b', START + n)
  await create('job_waiting_3', 'c', START + 3)
  await create('job_lost', 'b', START + 4)
  await end('job_lost', 'LOST')
  await end('job_old', 'SUCCESS')
  const { counts, ...figures } = await store.readFigures(START)
  // The finished job that was created before the window is not counted; the unfinished one is.
  expect(Object.fromEntries(counts.map(({ status, count }) => [status, count]))).toEqual({
    PENDING: 4,
    UNCONFIRMED: 0,
    ON_QUEUE: 0,
    SUCCESS: 0,
    FAILED: 0,
    CANCELED: 0,
    LOST: 1,
  })
  expect(figures).toEqual({ waiting: 3, waitingOfLargestTenant: 2, oldestUnfinishedAt: START - 3 * USAGE_STEP_MS })
  expect((await store.readFigures(START - USAGE_STEP_MS)).counts).toContainEqual({ status: 'SUCCESS', count: 1 })
})

test('the figures are read by index, not by a scan of the jobs or of the sums', async () => {
  const { engine, create, end } = await openStore()
  await Promise.all(
    Array.from({ length: 300 }, async (_unused, n) => {
      await create(`job_${n}`, `tenant_${n % 3}`, START + n)
      if (n > 10) await end(`job_${n}`, 'FAILED')
    }),
  )
  await sql`analyze`.execute(engine.db)
  const { db, nodes } = recordQueries(engine.db)
  await readFigures(db, START)
  const plans = await engine.db.connection().execute(async (connection) => {
    if (isOnPostgres) await sql`set enable_seqscan = off`.execute(connection)
    const found: string[] = []
    for (const node of nodes) {
      const query = engine.db.getExecutor().compileQuery(node, { queryId: 'plan' })
      const explain = `${isOnPostgres ? 'explain' : 'explain query plan'} ${query.sql}`
      const { rows } = await connection.executeQuery<Record<string, unknown>>(
        CompiledQuery.raw(explain, [...query.parameters]),
      )
      found.push(rows.map((row) => String(row['detail'] ?? row['QUERY PLAN'])).join('\n'))
    }
    if (isOnPostgres) await sql`reset enable_seqscan`.execute(connection)
    return found
  })
  expect(plans).toHaveLength(2)
  expect(plans[0]).toMatch(isOnPostgres ? /jobs_(?:queue|unfinished)/ : /USING INDEX jobs_queue/)
  expect(plans[0]).not.toContain('TEMP B-TREE')
  expect(plans[1]).toMatch(/usage_sums_key|sqlite_autoindex_usage_sums_1/)
  expect(plans.join('\n')).not.toMatch(/Seq Scan on (?:jobs|usage_sums)|SCAN (?:jobs|usage_sums)$/m)
})

test('the size of the database is its size on disk', async () => {
  const { engine, create } = await openStore()
  await create('job_1', 'a', START)
  expect(await engine.sizeBytes()).toBeGreaterThan(4_096)
})
