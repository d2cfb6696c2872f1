/** Thousands of sockets, each watching its own job, and a steady stream of hooks. */
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../../test/support/until.ts'
import { measureInRounds } from '../http/rounds.ts'
import { type Column, type Section, toSection } from '../http/table.ts'
import { makeMany } from './clients.ts'
import { type LiveContender, openLiveContest, type WatchedJob, type Wire } from './contest.ts'
import { percentile } from './figures.ts'

const HOOKS_PER_SECOND = 400
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 5)
const AT_MOST = { timeoutMs: 60_000 }

interface Measurement {
  /** Per hook. */
  readonly cpuUs: number
  /** From the hook to the frame. */
  readonly waitsMs: readonly number[]
  /** Waits of hooks that were not delayed by the pause between two fetches. */
  readonly freeWaitsMs: readonly number[]
}

const COLUMNS: readonly Column<Measurement>[] = [
  { title: 'CPU µs a hook', valueOf: ({ cpuUs }) => cpuUs },
  { title: "limit's CPU / its CPU", digits: 2, valueOf: ({ cpuUs }, limit) => limit.cpuUs / cpuUs },
  { title: 'p50 ms', digits: 1, valueOf: ({ waitsMs }) => percentile(waitsMs, 0.5) },
  { title: 'p99 ms', digits: 1, valueOf: ({ waitsMs }) => percentile(waitsMs, 0.99) },
  {
    title: "its p99 / limit's p99",
    digits: 2,
    valueOf: ({ waitsMs }, limit) => percentile(waitsMs, 0.99) / percentile(limit.waitsMs, 0.99),
  },
  {
    title: 'p99 ms of jobs not fetched in the second before',
    digits: 1,
    valueOf: ({ freeWaitsMs }) => percentile(freeWaitsMs, 0.99),
  },
]

export async function ownJob(name: string, watchers: number, wire: Wire): Promise<Section> {
  const { contenders, close } = await openLiveContest(wire)
  try {
    /** Unfinished jobs by contender. */
    const unfinished = new Map<LiveContender, readonly WatchedJob[]>()
    const measurement = async (contender: LiveContender) => {
      const left = unfinished.get(contender) ?? []
      const jobs = [...left, ...(await contender.createJobs(watchers - left.length))]
      const { measured, rest } = await measure(contender, jobs)
      unfinished.set(contender, rest)
      return measured
    }
    return toSection(name, COLUMNS, await measureInRounds(contenders, measurement))
  } finally {
    await close()
  }
}

async function measure(contender: LiveContender, jobs: readonly WatchedJob[]) {
  const waitsMs: number[] = []
  const freeWaitsMs: number[] = []
  const sentAt = new Map<WatchedJob, number>()
  const held = new Set<WatchedJob>()
  const lines = await makeMany(jobs.length, async (n) => {
    const line = await contender.openLine()
    const job = jobs[n]
    if (!job) throw new TypeError('a line for each job')
    line.onEvent = (_text, at) => {
      const waitMs = at - (sentAt.get(job) ?? Number.NaN)
      waitsMs.push(waitMs)
      if (!held.has(job)) freeWaitsMs.push(waitMs)
    }
    await line.watch(job.id)
    return line
  })
  const ended = shuffle(jobs).slice(0, Math.min(jobs.length, HOOKS_PER_SECOND * SECONDS))
  await contender.server.collect()
  const before = await contender.server.cpuUs()
  await paced(ended, (job) => {
    if (contender.hasJustFetched(job)) held.add(job)
    sentAt.set(job, performance.now())
    // Not awaited: an unanswered hook has no event, and the events are awaited below.
    void contender.finish(job)
  })
  await until(() => waitsMs.length >= ended.length, AT_MOST)
  const cpuUs = ((await contender.server.cpuUs()) - before) / ended.length
  for (const line of lines) line.close()
  return { measured: { cpuUs, waitsMs, freeWaitsMs }, rest: jobs.filter((job) => !sentAt.has(job)) }
}

/** Calls `act` for each item at the pace of the hooks. */
async function paced<T>(items: readonly T[], act: (item: T) => void): Promise<void> {
  const from = performance.now()
  for (const [n, item] of items.entries()) {
    const early = from + (n * 1_000) / HOOKS_PER_SECOND - performance.now()
    if (early > 1) await delay(early)
    act(item)
  }
}

function shuffle<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, order: Math.random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ item }) => item)
}
