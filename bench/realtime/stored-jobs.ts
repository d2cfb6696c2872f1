/** Fills a gateway with thousands of finished jobs, copied from one real job. */
import { seedJobs } from '../../test/support/seed-jobs.ts'
import { withRawDatabase } from '../../test/support/raw-database.ts'
import { until } from '../../test/support/until.ts'
import type { BenchGateway } from './gateway.ts'

/** Finishes one job, including its webhook if it has one; seeded jobs are copied from it. */
export async function finishOne(gateway: BenchGateway, input: object = {}): Promise<void> {
  const [job] = await gateway.createJobs(1, input)
  if (!job) throw new Error('no job')
  await gateway.finish(job)
  await withRawDatabase(gateway.databaseUrl, async ({ query }) =>
    until(async () => (await query(`select id from jobs where status = 'SUCCESS'`)).length === 1),
  )
}

/** Stores `count` jobs in an empty gateway, all older than later jobs. */
export async function storeJobs(gateway: BenchGateway, count: number): Promise<void> {
  await finishOne(gateway)
  await seedJobs(gateway.databaseUrl, count - 1, { created_at: 'created_at - n' })
}
