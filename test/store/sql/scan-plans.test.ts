/** Filters without one index for all parts: each part uses its own index, and only matching jobs are read. */
import { CompiledQuery, sql } from 'kysely'
import { expect, test } from 'vitest'
import type { JobFilter } from '../../../src/domain/job-filter.ts'
import type { Engine } from '../../../src/store/sql/engine.ts'
import { createJobStore } from '../../../src/store/sql/job-store.ts'
import { createLists } from '../../../src/store/sql/lists.ts'
import { LIMITS, makeNewSwapJob } from '../../support/jobs.ts'
import { openEngine } from '../../support/open-engine.ts'
import { recordQueries } from '../../support/record-queries.ts'
import { isOnPostgres } from '../../support/raw-database.ts'

const FROM = { createdAt: 1_700_000_000_500, id: 'job_500' }
const JOBS = 300

async function openFilled() {
  const engine = await openEngine()
  const store = createJobStore(engine)
  const room = { maxInFlight: 0, maxWaiting: JOBS }
  const jobs = Array.from({ length: JOBS }, (_unused, n) =>
    makeNewSwapJob(`job_${n}`, 1_700_000_000_000 + n, { tags: ['t', 'u'], clientReference: `r${n % 2}` }),
  )
  await Promise.all(jobs.map(async (job) => store.createJob(job, room, LIMITS)))
  await sql`analyze`.execute(engine.db)
  return engine
}

/** Returns the plan of each statement of a filtered list, with its steps as lines. */
async function explain(engine: Engine, filter: JobFilter): Promise<string[]> {
  const { db, nodes } = recordQueries(engine.db)
  await createLists({ db }).listJobs('a', filter, { from: FROM, direction: 'forward', limit: 20 })
  return engine.db.connection().execute(async (connection) => {
    // With a few hundred jobs the planner would prefer a sequential scan.
    if (isOnPostgres) await sql`set enable_seqscan = off`.execute(connection)
    const plans: string[] = []
    for (const node of nodes) {
      const query = engine.db.getExecutor().compileQuery(node, { queryId: 'plan' })
      const explainSql = `${isOnPostgres ? 'explain' : 'explain query plan'} ${query.sql}`
      const { rows } = await connection.executeQuery<Record<string, unknown>>(
        CompiledQuery.raw(explainSql, [...query.parameters]),
      )
      plans.push(rows.map((row) => String(row['detail'] ?? row['QUERY PLAN'])).join('\n'))
    }
    if (isOnPostgres) await sql`reset enable_seqscan`.execute(connection)
    return plans
  })
}

const by = (index: string) =>
  isOnPostgres ? `Index Only Scan using ${index}` : `SEARCH other USING COVERING INDEX ${index}`

test.each<[string, JobFilter, string[]]>([
  ['a tag and a status', { tags: ['t'], statuses: ['LOST'] }, ['jobs_tenant_status']],
  // PostgreSQL may use jobs_tenant_created instead, at the same cost, because there are many final statuses.
  ['a tag and being done', { tags: ['t'], done: true }, isOnPostgres ? [] : ['jobs_tenant_status']],
  ['two tags', { tags: ['t', 'u'] }, ['job_tags_list']],
  ['a reference and a status', { clientReference: 'r1', statuses: ['LOST'] }, ['jobs_tenant_status']],
  [
    'a tag, a reference and a status',
    { tags: ['t'], clientReference: 'r1', statuses: ['PENDING'] },
    ['jobs_tenant_status', 'job_tags_list'],
  ],
])('a list by %s looks up each part in its index', async (_what, filter, indexes) => {
  const plans = await explain(await openFilled(), filter)
  const piece = plans.find((plan) => /other/.test(plan)) ?? ''
  for (const index of indexes) expect(piece).toContain(by(index))
  expect(piece).not.toMatch(/Seq Scan|SCAN other|jobs_pkey|autoindex_jobs/)
})
