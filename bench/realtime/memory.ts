/** Memory of idle subscriptions, each on its own socket and to its own job. */
import { setTimeout as delay } from 'node:timers/promises'
import { ROUNDS } from '../http/rounds.ts'
import { type Column, type Section, toSection } from '../http/table.ts'
import { makeMany } from './clients.ts'
import { type LiveContender, openLiveContest, type Wire } from './contest.ts'

/** V8 frees its pages for young objects after some idle seconds. */
const SETTLE_MS = 8_000
const FURTHER = 5

interface Measurement {
  /** Per subscription with its socket: resident memory of the process, and the objects' share of it. */
  readonly residentBytes: number
  readonly heapBytes: number
  /** Per further subscription on the same socket, resident. */
  readonly furtherBytes: number
}

const COLUMNS: readonly Column<Measurement>[] = [
  { title: 'KiB a subscription', digits: 1, valueOf: ({ residentBytes }) => residentBytes / 1_024 },
  {
    title: "its / limit's",
    digits: 2,
    valueOf: (measurement, limit) => measurement.residentBytes / limit.residentBytes,
  },
  { title: 'KiB held by objects', digits: 1, valueOf: ({ heapBytes }) => heapBytes / 1_024 },
  { title: 'KiB a further subscription on its socket', digits: 1, valueOf: ({ furtherBytes }) => furtherBytes / 1_024 },
]

/** Starts new processes in each round, because a process may keep memory that it once used. */
export async function measureMemory(name: string, watchers: number, wire: Wire): Promise<Section> {
  const records = new Map<string, Measurement[]>()
  for (let round = 0; round < ROUNDS; round += 1) {
    const { contenders, close } = await openLiveContest(wire)
    try {
      for (const contender of contenders) {
        const measurements = records.get(contender.name) ?? []
        measurements.push(await measure(contender, watchers))
        records.set(contender.name, measurements)
      }
    } finally {
      await close()
    }
  }
  return toSection(
    name,
    COLUMNS,
    [...records].map(([contender, measurements]) => ({ name: contender, measurements })),
  )
}

async function measure(contender: LiveContender, watchers: number): Promise<Measurement> {
  const jobs = await contender.createJobs(watchers)
  await contender.restart(jobs)
  await delay(SETTLE_MS)
  const before = await contender.server.memory()
  const lines = await makeMany(watchers, async (n) => {
    const line = await contender.openLine()
    await line.watch(jobs[n]?.id ?? '')
    return line
  })
  await delay(SETTLE_MS)
  const after = await contender.server.memory()
  for (let more = 1; more <= FURTHER; more += 1) {
    await makeMany(watchers, async (n) => lines[n]?.watch(jobs[(n + more) % watchers]?.id ?? ''))
  }
  await delay(SETTLE_MS)
  const withFurther = await contender.server.memory()
  for (const line of lines) line.close()
  return {
    residentBytes: (after.resident - before.resident) / watchers,
    heapBytes: (after.heap - before.heap) / watchers,
    furtherBytes: (withFurther.resident - after.resident) / watchers / FURTHER,
  }
}
