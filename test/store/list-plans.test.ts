/** Lists enter an index where their page begins, whatever narrows them: nothing is sorted, nothing before it is read. */
import { type KyselyPlugin, type RootOperationNode, sql } from 'kysely'
import { expect, test } from 'vitest'
import type { JobFilter } from '../../src/domain/job-filter.ts'
import { createLists } from '../../src/store/lists.ts'
import { openDatabase } from '../../src/store/sqlite/open.ts'
import { closeAfterTest } from '../support/test-app.ts'

async function explain(filter: JobFilter): Promise<string[]> {
  const { db } = await openDatabase(':memory:', () => {})
  closeAfterTest(() => db.destroy())
  const nodes: RootOperationNode[] = []
  const spy: KyselyPlugin = {
    transformQuery: ({ node }) => {
      nodes.push(node)
      return node
    },
    transformResult: async ({ result }) => result,
  }
  const from = { createdAt: 1_700_000_000_000, id: 'job_1' }
  await createLists({ db: db.withPlugin(spy) }).listJobs('a', filter, { from, direction: 'forward', limit: 20 })
  const plans: string[] = []
  for (const node of nodes) {
    const query = db.getExecutor().compileQuery(node, { queryId: 'plan' })
    const { rows } = await sql<{
      detail: string
    }>`explain query plan ${sql.raw(bind(query.sql, query.parameters))}`.execute(db)
    plans.push(rows.map(({ detail }) => detail).join(' | '))
  }
  return plans
}

/** A statement with its parameters written in: these are ours. */
function bind(text: string, parameters: readonly unknown[]): string {
  let n = 0
  return text.replaceAll('?', () => {
    const value = parameters[n++]
    return typeof value === 'number' ? String(value) : `'${String(value)}'`
  })
}

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
  [
    'tags and a status',
    { tags: ['t', 'u'], statuses: ['FAILED'] },
    /job_tags_list \(tenant=\? AND tag=\? AND \(created_at,job_id\)</,
  ],
])('by %s', async (_what, filter, plan) => {
  for (const one of await explain(filter)) {
    expect(one).toMatch(plan)
    expect(one).not.toMatch(/TEMP B-TREE|SCAN/)
  }
})
