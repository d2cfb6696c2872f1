/**
 * Checks the guarantees for subscribers: a slow one does not delay others, none misses a final state, and all may
 * reconnect at once.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../../test/support/until.ts'
import { type Section, toRow } from '../http/table.ts'
import { connectClient, makeMany, watchJob } from './clients.ts'
import { type Figures, kilobytes, milliseconds, pair } from './figures.ts'
import { openBenchGateway } from './gateway.ts'
import { runChanges } from './run-changes.ts'

const SOCKETS = 5_000
const PLACED = 10_000
const WITHIN_MS = 5
const CHANGES = 20_000

/** Measures subscribers with and without another one that does not read. */
export async function paused(name: string): Promise<Section> {
  const [without, beside] = [await runChanges(CHANGES, false), await runChanges(CHANGES, true)]
  const figures: Figures = [
    [`memory growth during ${without.changes} changes, all subscribers reading`, kilobytes(without.grownBytes)],
    ['the same, with another subscriber that does not read', kilobytes(beside.grownBytes)],
    ['p50, p99 from the hook to the frame, all subscribers reading', pair(without.waits)],
    ['the same, with another subscriber that does not read', pair(beside.waits)],
  ]
  return toSection(name, figures, !without.isAlive || !beside.isAlive)
}

/** Subscriptions that begin around the last change of their job. */
export async function missed(name: string): Promise<Section> {
  const gateway = await openBenchGateway()
  try {
    const perRound = 500
    // Few subscriptions per socket: more than a hundred a second on one socket count as a flood.
    const clients = await makeMany(250, async () => connectClient(gateway.url))
    const finals = new Map<string, number>()
    const versions = new Map<string, number>()
    let outOfOrder = 0
    let completed = 0
    for (const client of clients) {
      client.onNext = (id, event) => {
        if (event.includes('"done":true')) finals.set(id, (finals.get(id) ?? 0) + 1)
        const version = Number(/"version":(\d+)/.exec(event)?.[1])
        if (version <= (versions.get(id) ?? 0)) outOfOrder += 1
        versions.set(id, version)
      }
      client.onComplete = () => {
        completed += 1
      }
    }
    for (let round = 0; round < PLACED / perRound; round += 1) {
      const [job] = await gateway.createJobs(1)
      if (!job) throw new TypeError('a job was asked for')
      // A hook takes effect after about half of the window.
      const ends = delay(WITHIN_MS).then(async () => gateway.finish(job))
      await Promise.all(
        Array.from({ length: perRound }, async (_unused, n) => {
          await delay(Math.random() * 4 * WITHIN_MS)
          clients[n % clients.length]?.ask(`${round}-${n}`, watchJob(job.id))
        }),
      )
      await ends
      await until(() => completed === (round + 1) * perRound).catch(() => null)
    }
    for (const { socket } of clients) socket.terminate()
    const lost = PLACED - finals.size
    const doubled = [...finals.values()].filter((count) => count > 1).length
    const what = `final states of ${PLACED} subscriptions around the last change: missed, duplicated, out of order`
    const figures: Figures = [[what, `${lost}, ${doubled}, ${outOfOrder}`]]
    return toSection(name, figures, lost + doubled + outOfOrder > 0)
  } finally {
    await gateway.close()
  }
}

/** All subscribers reconnect at once after a restart. */
export async function reconnect(name: string): Promise<Section> {
  const gateway = await openBenchGateway()
  try {
    const jobs = await gateway.createJobs(100)
    const before = await makeMany(SOCKETS, async (n) => {
      const client = await connectClient(gateway.url)
      await client.subscribe('1', watchJob(jobs[n % jobs.length]?.id ?? ''))
      return client
    })
    for (const { socket } of before) socket.on('error', () => undefined)
    await gateway.restart()
    await gateway.process.watchLoop()
    const from = performance.now()
    const after = await Promise.all(
      Array.from({ length: SOCKETS }, async (_unused, n) => {
        const client = await connectClient(gateway.url)
        await client.subscribe('1', watchJob(jobs[n % jobs.length]?.id ?? ''))
        return client
      }),
    )
    const servedMs = performance.now() - from
    const lag = await gateway.process.readLoop()
    for (const { socket } of after) socket.terminate()
    return toSection(name, [
      [`${SOCKETS} clients that reconnect at once after a restart: all served again after`, milliseconds(servedMs)],
      ['event loop delay meanwhile, p99', milliseconds(lag.p99Ms)],
      ['the longest', milliseconds(lag.maxMs)],
    ])
  } finally {
    await gateway.close()
  }
}

function toSection(scenario: string, figures: Figures, isBroken = false): Section {
  const rows = figures.map(([what, figure]) => toRow([scenario, what, figure]))
  return { titles: ['scenario', 'what', 'measured'], rows, isBroken }
}
