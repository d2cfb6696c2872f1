/** Creates the jobs of a scenario at the gateway and reads them back, so that all contenders have the same jobs. */
import Database from 'libsql'
import { z } from 'zod'
import { type AcceptedJob, FAKE_KEY, type FakeUpstream, openFakeUpstream } from '../../test/support/fake-upstream.ts'
import { until } from '../../test/support/until.ts'
import { makeMany } from '../realtime/clients.ts'
import type { BenchGateway } from '../realtime/gateway.ts'
import { post, toAsk } from './ask.ts'

const jobSchema = z.object({
  id: z.string(),
  jobId: z.string(),
  status: z.string(),
  done: z.boolean(),
  version: z.number(),
  createdAt: z.string(),
  result: z.object({ url: z.string().nullable() }).nullable(),
  failure: z.object({ code: z.string(), message: z.string() }).nullable(),
  charge: z.object({ state: z.string(), quota: z.number().nullable() }),
})
/** A job as the gateway returns it. */
export type ShownJob = z.infer<typeof jobSchema>

const pageSchema = z.object({
  data: z.object({
    swapJobs: z.object({
      nodes: z.array(jobSchema),
      pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
    }),
  }),
})

const LIST = `query ($after: String) {
  swapJobs(first: 100, after: $after) {
    nodes {
      id jobId status done version createdAt result { url } failure { code message } charge { state quota }
    }
    pageInfo { hasNextPage endCursor }
  }
}`
const READ = 'query ($id: ID!) { swapJob(id: $id) { status } }'
const AT_MOST = { timeoutMs: 30_000, everyMs: 500 }

export interface JobCounts {
  readonly finished?: number
  readonly unfinished?: number
}

/** @returns the new jobs, newest first. */
export async function makeJobs(gateway: BenchGateway, counts: JobCounts): Promise<ShownJob[]> {
  const { finished = 0, unfinished = 0 } = counts
  const ended = await gateway.createJobs(finished)
  await Promise.all(ended.map(async (job) => gateway.finish(job)))
  const young = await gateway.createJobs(unfinished)
  postponePolls(gateway.databaseUrl)
  // The first fetch stores the upstream's status; later ones do not write.
  await makeMany(unfinished, async (n) => post(gateway.url, toAsk(READ, { id: young[n]?.id })))
  return until(async () => {
    const jobs = await listJobs(gateway.url, finished + unfinished)
    return jobs.filter(({ done }) => done).length === finished && jobs
  }, AT_MOST)
}

/** Postpones the polls of new jobs, as if they were minutes old: their polls are not part of the measurement. */
function postponePolls(databaseUrl: string): void {
  const database = new Database(databaseUrl.replace('file:', ''))
  // The gateway writes at the same time.
  database.exec('pragma busy_timeout = 5000')
  database.prepare("update jobs set fetches = 11, wake_at = wake_at + 300000 where status = 'ON_QUEUE'").run()
  database.close()
}

async function listJobs(url: string, count: number): Promise<ShownJob[]> {
  const jobs: ShownJob[] = []
  for (let after: string | null = null; ;) {
    const { body } = await post(url, toAsk(LIST, { after }))
    const { nodes, pageInfo } = pageSchema.parse(JSON.parse(body)).data.swapJobs
    jobs.push(...nodes)
    if (!pageInfo.hasNextPage || jobs.length >= count) return jobs.slice(0, count)
    after = pageInfo.endCursor
  }
}

/** Opens a second upstream with the same jobs for the other contenders, so that their calls are counted separately. */
export async function openTwin(original: FakeUpstream): Promise<FakeUpstream> {
  const twin = await openFakeUpstream()
  const given = [...original.accepted]
  twin.scriptJobs((_submit, n) => {
    const id = given[n]?.id
    return id === undefined ? {} : { id }
  })
  // Sequential: the nth submit gets the nth id.
  for (const job of given) await submitTo(twin, job)
  return twin
}

/** Submits directly to an upstream, as the gateway would. */
export async function submitTo(
  upstream: FakeUpstream,
  { targetImage, swapImage, hookUrl }: Pick<AcceptedJob, 'targetImage' | 'swapImage' | 'hookUrl'>,
): Promise<void> {
  const body = JSON.stringify({ targetImage, swapImage, hookUrl })
  await fetch(`${upstream.url}/insightFace/v1/swap`, { method: 'POST', headers: { 'tt-api-key': FAKE_KEY }, body })
}
