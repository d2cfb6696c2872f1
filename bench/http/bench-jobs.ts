/** The jobs of a scenario: made at the gateway, and read back so that the others can be given the same. */
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
/** As the gateway shows it. */
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

/** @returns newest first, without what was stored before; the finished ones are so for good. */
export async function makeJobs(gateway: BenchGateway, counts: JobCounts): Promise<ShownJob[]> {
  const { finished = 0, unfinished = 0 } = counts
  const ended = await gateway.createJobs(finished)
  await Promise.all(ended.map(async (job) => gateway.finish(job)))
  const young = await gateway.createJobs(unfinished)
  putLooksOff(gateway.databaseUrl)
  // What the upstream calls their state is written down once, with the first answer.
  await makeMany(unfinished, async (n) => post(gateway.url, toAsk(READ, { id: young[n]?.id })))
  return until(async () => {
    const jobs = await listJobs(gateway.url, finished + unfinished)
    return jobs.filter(({ done }) => done).length === finished && jobs
  }, AT_MOST)
}

/** As if the jobs were minutes old: the looks at thousands of young ones are no part of answering for them. */
function putLooksOff(databaseUrl: string): void {
  const database = new Database(databaseUrl.replace('file:', ''))
  // The gateway writes as well.
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

/** Another upstream with the same jobs, for all but the gateway: whose calls are whose can then be told. */
export async function openTwin(original: FakeUpstream): Promise<FakeUpstream> {
  const twin = await openFakeUpstream()
  const given = [...original.accepted]
  twin.scriptJobs((_submit, n) => {
    const id = given[n]?.id
    return id === undefined ? {} : { id }
  })
  // One after the other: the nth submit gets the nth id.
  for (const job of given) await submitTo(twin, job)
  return twin
}

/** Straight at an upstream, as the gateway would. */
export async function submitTo(
  upstream: FakeUpstream,
  { targetImage, swapImage, hookUrl }: Pick<AcceptedJob, 'targetImage' | 'swapImage' | 'hookUrl'>,
): Promise<void> {
  const body = JSON.stringify({ targetImage, swapImage, hookUrl })
  await fetch(`${upstream.url}/insightFace/v1/swap`, { method: 'POST', headers: { 'tt-api-key': FAKE_KEY }, body })
}
