/** Fan-out: the last change of one job, sent to all subscribers of the job. */
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../../test/support/until.ts'
import { measureInRounds } from '../http/rounds.ts'
import { type Column, type Section, toSection } from '../http/table.ts'
import { makeMany } from './clients.ts'
import { type LiveContender, openLiveContest, type Wire } from './contest.ts'
import { percentile } from './figures.ts'
import type { Line } from './lines.ts'

/** Messages per turn. With few subscribers, several jobs change in sequence, so that a turn is long enough to measure. */
const MESSAGES = 10_000
const AT_MOST = { timeoutMs: 60_000 }
/** Time for remaining work after the last event has arrived. */
const SETTLE_MS = 100

interface Measurement {
  /** Per watcher. */
  readonly cpuUs: number
  /** From the first frame to the 99th of 100. */
  readonly spreadMs: number
}

const COLUMNS: readonly Column<Measurement>[] = [
  { title: 'CPU µs a message', digits: 1, valueOf: ({ cpuUs }) => cpuUs },
  { title: "limit's CPU / its CPU", digits: 2, valueOf: ({ cpuUs }, limit) => limit.cpuUs / cpuUs },
  { title: 'ms from the first frame to the 99th of 100', valueOf: ({ spreadMs }) => spreadMs },
]

export async function fanOut(name: string, watchers: number, wire: Wire): Promise<Section> {
  const { contenders, close } = await openLiveContest(wire)
  try {
    return toSection(name, COLUMNS, await measureInRounds(contenders, async (one) => measure(one, watchers)))
  } finally {
    await close()
  }
}

async function measure(contender: LiveContender, watchers: number): Promise<Measurement> {
  const events = Math.max(1, Math.round(MESSAGES / watchers))
  const lines = await makeMany(watchers, contender.openLine)
  const samples: Measurement[] = []
  while (samples.length < events) samples.push(await publishToAll(contender, lines))
  for (const line of lines) line.close()
  return {
    cpuUs: samples.reduce((sum, { cpuUs }) => sum + cpuUs, 0) / events,
    spreadMs: percentile(
      samples.map(({ spreadMs }) => spreadMs),
      0.5,
    ),
  }
}

async function publishToAll(contender: LiveContender, lines: readonly Line[]): Promise<Measurement> {
  const [job] = await contender.createJobs(1)
  if (!job) throw new TypeError('a job was asked for')
  const times: number[] = []
  let ended = 0
  for (const line of lines) {
    line.onEvent = (_text, at) => times.push(at)
    line.onEnd = () => {
      ended += 1
    }
  }
  await makeMany(lines.length, async (n) => lines[n]?.watch(job.id))
  await until(() => !contender.hasJustFetched(job), AT_MOST)
  // Garbage of the connection setup must not count for the event.
  await contender.server.collect()
  const before = await contender.server.cpuUs()
  await contender.finish(job)
  await until(() => ended === lines.length, AT_MOST)
  if (times.length !== lines.length) throw new Error(`${contender.name}: ${times.length} events to ${lines.length}`)
  await delay(SETTLE_MS)
  const cpuUs = ((await contender.server.cpuUs()) - before) / lines.length
  return { cpuUs, spreadMs: percentile(times, 0.99) - percentile(times, 0) }
}
