/** Query plans: each statement starts its index search at the first row of its result, however many jobs are stored. */
import { CompiledQuery } from 'kysely'
import { expect, test } from 'vitest'
import type { JobFilter } from '../../src/domain/job-filter.ts'
import type { Engine } from '../../src/store/sql/engine.ts'
import { createJobStore } from '../../src/store/sql/job-store.ts'
import { createGroupedWrites, runGroup, type WaitingWrites } from '../../src/store/sql/grouped-writes.ts'
import { createLists } from '../../src/store/sql/lists.ts'
import { openDatabase } from '../../src/store/sqlite/engine.ts'
import { makeNewSwapJob } from '../support/jobs.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { recordQueries } from '../support/record-queries.ts'

/** Runs the waiting writes without a transaction. */
async function settleOn(db: Engine['db'], waiting: WaitingWrites): Promise<void> {
  const group = waiting.take(Infinity)
  await runGroup(db, group, false)
  for (const one of group) one.settle()
}

/** Returns the query plan of each statement of `work`, with its parameters bound as in a real run. */
async function explain(work: (engine: Engine) => Promise<unknown>): Promise<string[]> {
  const engine = await openDatabase(':memory:', () => {})
  closeAfterTest(() => engine.db.destroy())
  const { db, nodes } = recordQueries(engine.db)
  await work({ ...engine, db, queue: createGroupedWrites(async (waiting) => settleOn(db, waiting)) })
  const plans: string[] = []
  for (const node of nodes) {
    const query = engine.db.getExecutor().compileQuery(node, { queryId: 'plan' })
    // SQLite plans a statement before its parameters are bound, so null may replace a placeholder.
    const parameters = query.parameters.map((parameter) => (typeof parameter === 'object' ? null : parameter))
    const { rows } = await engine.db.executeQuery<{ detail: string }>(
      CompiledQuery.raw(`explain query plan ${query.sql}`, parameters),
    )
    plans.push(rows.map(({ detail }) => detail).join(' | '))
  }
  return plans
}

const FROM = { createdAt: 1_700_000_000_000, id: 'job_1' }
const explainList = async (filter: JobFilter) =>
  explain((engine) => createLists(engine).listJobs('a', filter, { from: FROM, direction: 'forward', limit: 20 }))

test.each<[string, JobFilter, RegExp]>([
  ['nothing', {}, /jobs_tenant_created \(tenant=\? AND \(created_at,id\)<\(\?,\?\)\)/],
  ['a status', { statuses: ['FAILED'] }, /jobs_tenant_status \(tenant=\? AND status=\? AND \(created_at,id\)</],
  ['statuses', { statuses: ['FAILED', 'LOST'] }, /jobs_tenant_status \(tenant=\? AND status=\? AND \(created_at,id\)</],
  ['what is done', { done: true }, /jobs_tenant_status \(tenant=\? AND status=\? AND \(created_at,id\)</],
  [
    'a reference',
    { clientReference: 'r' },
    /jobs_client_reference \(tenant=\? AND client_reference=\? AND \(created_at,id\)</,
  ],
  ['a time', { createdFrom: 1_600_000_000_000 }, /jobs_tenant_created \(tenant=\? AND/],
  [
    'a span of time that the page begins in',
    { createdFrom: 1_600_000_000_000, createdBefore: 1_800_000_000_000 },
    /jobs_tenant_created \(tenant=\? AND created_at>\? AND \(created_at,id\)<\(\?,\?\)\)/,
  ],
  [
    'a tag',
    { tags: ['t'] },
    /by_tag USING (COVERING )?INDEX job_tags_list \(tenant=\? AND tag=\? AND \(created_at,job_id\)</,
  ],
  ['tags and a status', { tags: ['t', 'u'], statuses: ['FAILED'] }, /job_tags_list \(tenant=\? AND tag=\?/],
])('a list by %s searches an index without a sort', async (_what, filter, plan) => {
  for (const one of await explainList(filter)) {
    expect(one).toMatch(plan)
    // The count per tag, which finds the rarest one, may scan because it has a limit.
    expect(one).not.toMatch(/TEMP B-TREE|SCAN (?!some_jobs|page)/)
  }
})

const LIMITS = {
  since: 0,
  quota: null,
  maxUnfinished: 5,
  maxWaiting: 5,
  contentRefusals: { since: 0, maxPerTenant: 2, maxOverall: 3 },
}

test('the counts for the limits of a new swap each search an index', async () => {
  const room = { maxInFlight: 10, maxWaiting: 10 }
  const plans = await explain((engine) => createJobStore(engine).createJob(makeNewSwapJob('job_1', 1), room, LIMITS))
  const counts = plans.filter((plan) => plan.includes('SCALAR SUBQUERY') && /INDEX/.test(plan))
  const searches = counts.flatMap((plan) => plan.split(' | ')).filter((step) => /jobs/.test(step))
  expect(searches.length).toBeGreaterThanOrEqual(6)
  for (const search of searches) {
    expect(search).toMatch(
      /content_refused|jobs_tenant_status \(tenant=\? AND status=\?|jobs_queue \(status=|jobs_change_seq/,
    )
    expect(search).not.toMatch(/SCAN jobs$/)
  }
})

const jobsOf = async (work: (store: ReturnType<typeof createJobStore>) => Promise<unknown>) =>
  explain((engine) => work(createJobStore(engine)))

test.each<[string, () => Promise<string[]>, RegExp]>([
  [
    'the next waiting job',
    async () =>
      jobsOf(async (store) => {
        await store.createJob(makeNewSwapJob('job_1', 1), { maxInFlight: 0, maxWaiting: 10 }, LIMITS)
        expect(await store.findNextWaiting(1, LIMITS.contentRefusals)).not.toBeNull()
      }),
    /SEARCH jobs USING (COVERING )?INDEX jobs_queue \(status=\? AND lease_until=\? AND tenant>\?\)/,
  ],
  [
    'the waiting jobs in their order',
    async () => jobsOf((store) => store.listWaitingIds(1_000)),
    /SEARCH jobs USING INDEX jobs_queue \(status=\? AND lease_until=\?\)/,
  ],
  [
    'the unfinished jobs of a tenant in the order of their changes',
    async () => jobsOf((store) => store.listChanges('a', { after: 0, upTo: 9, limit: 10, unfinished: true })),
    /jobs_unfinished \(tenant=\? AND change_seq>\? AND change_seq<\?\)/,
  ],
  [
    'the usage of a tenant',
    async () => explain((engine) => createLists(engine).sumUsage('a', 0, 3)),
    /usage_sums USING INDEX sqlite_autoindex_usage_sums_1 \(tenant=\? AND starts_at>\?\)/,
  ],
  [
    'the durations of recent swaps',
    async () => explain((engine) => createLists(engine).listRecent(0, 9)),
    /jobs_recent \(finished_at>\?\)/,
  ],
  [
    'the charges of recent swaps',
    async () => explain((engine) => createLists(engine).listRecentCharges(9)),
    /jobs_recent/,
  ],
  [
    'the number of unfinished jobs',
    async () => explain((engine) => createLists(engine).countUnfinished('a')),
    /jobs_unfinished/,
  ],
  ['a job by its upstream id', async () => jobsOf((store) => store.findByUpstreamId('u')), /jobs_upstream_id/],
  [
    'the jobs of a tenant by their upstream ids',
    async () => jobsOf((store) => store.findOwnJobs('a', ['u', 'v'])),
    /jobs_upstream_id \(upstream_id=\?\)/,
  ],
  ['the jobs to erase', async () => jobsOf((store) => store.listToForget(1, 10)), /jobs_purge_at \(purge_at/],
  ['the due jobs', async () => jobsOf((store) => store.claimDue(1, 2, 10)), /jobs_wake_at \(wake_at/],
])('the query for %s searches its own index', async (what, explained, index) => {
  const steps = (await explained()).flatMap((plan) => plan.split(' | '))
  expect(steps.some((step) => index.test(step))).toBe(true)
  // Sorts only waiting jobs, jobs in flight, or one per tenant: their number does not grow with the stored jobs.
  const isFew = ['the next waiting job', 'the waiting jobs in their order', 'the usage of a tenant'].includes(what)
  const sorts = isFew ? /^SCAN jobs$/ : /^SCAN jobs$|TEMP B-TREE FOR (?!RIGHT PART)/
  expect(steps.filter((step) => sorts.test(step))).toEqual([])
})
