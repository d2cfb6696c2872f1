/** Valid hooks of unfinished jobs without subscribers: measures from the POST to the stored outcome. */
import { type AcceptedJob, type FakeUpstream, openFakeUpstream, toDocument } from '../../test/support/fake-upstream.ts'
import { type RawDatabase, withRawDatabase } from '../../test/support/raw-database.ts'
import { until } from '../../test/support/until.ts'
import { post } from '../http/ask.ts'
import { submitTo } from '../http/bench-jobs.ts'
import { measureInRounds } from '../http/rounds.ts'
import { ENVIRONMENT, openStage } from '../http/stage.ts'
import { type Column, type Section, toSection } from '../http/table.ts'
import { makeMany } from './clients.ts'
import { openBenchGateway } from './gateway.ts'
import type { MeasuredProcess } from './process.ts'

const HOOKS = Number(process.env['BENCH_HOOKS'] ?? 1_000)
const AT_ONCE = 32
const AT_MOST = { timeoutMs: 60_000 }

interface Contender {
  readonly name: string
  readonly server: MeasuredProcess
  readonly upstream: FakeUpstream
  /** Creates jobs; returns them as accepted by the upstream, with their hook addresses. */
  createJobs(count: number): Promise<readonly AcceptedJob[]>
  /** Resolves when the database has the outcomes of `count` jobs in total. */
  untilStored(count: number): Promise<unknown>
}

interface Measurement {
  /** Per hook. */
  readonly cpuUs: number
  readonly perSecond: number
}

const COLUMNS: readonly Column<Measurement>[] = [
  { title: 'CPU µs a hook', valueOf: ({ cpuUs }) => cpuUs },
  { title: "limit's CPU / its CPU", digits: 2, valueOf: ({ cpuUs }, limit) => limit.cpuUs / cpuUs },
  { title: 'hooks/s', valueOf: ({ perSecond }) => perSecond },
]

export async function measureHooks(name: string): Promise<Section> {
  const gateway = await openBenchGateway({ settings: ENVIRONMENT })
  const upstream = await openFakeUpstream()
  try {
    const [first] = await gateway.createJobs(1)
    if (!first) throw new TypeError('a job was asked for')
    first.accepted.state = { status: 'SUCCESS' }
    const body = JSON.stringify(toDocument(first.accepted))
    const answer = await post(gateway.url, { path: new URL(first.accepted.hookUrl).pathname, body })
    const stage = await openStage({ answer, upstreamUrl: upstream.url })
    try {
      const limit = await stage.start('realtime/limits/bare-hook-write')
      const contenders: readonly Contender[] = [
        {
          name: 'limit: bare-hook-write',
          server: limit,
          upstream,
          createJobs: async (count) => submitAll(upstream, count, `${limit.url}/hooks`),
          // The limit responds to a hook only after storing it.
          untilStored: async () => null,
        },
        {
          name: '**gateway**',
          server: gateway.process,
          upstream: gateway.upstream,
          createJobs: async (count) => (await gateway.createJobs(count)).map(({ accepted }) => accepted),
          untilStored: async (count) =>
            withRawDatabase(gateway.databaseUrl, async (database) =>
              // Plus the first job, which is stored, too.
              until(async () => (await countDone(database)) === count + 1, AT_MOST),
            ),
        },
      ]
      const sent = new Map<Contender, number>()
      const measurement = async (contender: Contender) => {
        const count = (sent.get(contender) ?? 0) + HOOKS
        sent.set(contender, count)
        return measure(contender, count)
      }
      return toSection(name, COLUMNS, await measureInRounds(contenders, measurement))
    } finally {
      await stage.close()
    }
  } finally {
    await Promise.all([gateway.close(), upstream.close()])
  }
}

/** @param total number of hooks of all turns so far, including this one. */
async function measure(
  { name, server, upstream, createJobs, untilStored }: Contender,
  total: number,
): Promise<Measurement> {
  const jobs = await createJobs(HOOKS)
  for (const job of jobs) job.state = { status: 'SUCCESS' }
  const left = [...jobs]
  const from = performance.now()
  const before = await server.cpuUs()
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let job = left.pop(); job; job = left.pop()) {
        const status = await upstream.sendHook(job)
        if (status !== 200) throw new Error(`${name} answers a hook with ${status}`)
      }
    }),
  )
  await untilStored(total)
  const seconds = (performance.now() - from) / 1_000
  return { cpuUs: ((await server.cpuUs()) - before) / HOOKS, perSecond: HOOKS / seconds }
}

async function countDone({ query }: RawDatabase): Promise<number> {
  const [row] = await query(`select count(*) as done from jobs where status = 'SUCCESS'`)
  return (row as { readonly done: number }).done
}

async function submitAll(upstream: FakeUpstream, count: number, hookUrl: string): Promise<readonly AcceptedJob[]> {
  const from = upstream.accepted.length
  await makeMany(count, async (n) =>
    submitTo(upstream, {
      targetImage: `https://example.com/${n}.jpg`,
      swapImage: 'https://example.com/face.jpg',
      hookUrl,
    }),
  )
  return upstream.accepted.slice(from)
}
