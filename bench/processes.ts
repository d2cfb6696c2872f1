/**
 * Compares several gateway processes on one PostgreSQL with a single process: `npx tsx bench/processes.ts [scenario …]`
 * prints one Markdown table. All programs share this machine, so compare the ratios. Exits with 1 if an event was lost,
 * duplicated or missed. The database is that of `TEST_DATABASE_URL`, or one from npm.
 */
import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { openWireTo } from '../test/support/fault-proxy.ts'
import { createDatabase, startPostgres } from '../test/support/postgres.ts'
import { readStore } from '../test/support/history.ts'
import { until } from '../test/support/until.ts'
import { connectClient, makeMany, watchJob } from './realtime/clients.ts'
import { type Figures, kilobytes, milliseconds, pair } from './realtime/figures.ts'
import { cpuMsOfAll } from './realtime/process.ts'
import { type BenchGateway, betweenPolls, openBenchGateway } from './realtime/gateway.ts'
import type { BenchJob } from './realtime/job-maker.ts'

const EVENTS = 500
const EVENTS_PER_SECOND = 100
const SWAPS = 2_000
const SUBSCRIBERS = 10_000
const CHANGES_PER_SECOND = 500
const CREATED_AT_ONCE = 10
/** Maximum batches in progress: the load has a fixed rate, independent of the responses. */
const MAX_IN_PROGRESS = 50
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 600)

const scenarios = { across, takeover, cut, throughput, soak }

const server = await startPostgres()
process.env['TEST_DATABASE_URL'] = server.url
const chosen = process.argv.slice(2)
const rows: string[] = []
let isBroken = false
try {
  for (const [name, run] of Object.entries(scenarios)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue
    for (const [what, figure] of await run()) {
      rows.push(`| ${name} | ${what} | ${figure} |`)
      process.stderr.write(`${rows.at(-1)}\n`)
    }
  }
} finally {
  await server.stop()
}
console.log(['| scenario | what | measured |', '|---|---|---|', ...rows].join('\n'))
process.exit(isBroken ? 1 : 0)

function expectThat(isHeld: boolean, sentence: string): void {
  if (isHeld) return
  isBroken = true
  process.stderr.write(`NOT HELD: ${sentence}\n`)
}

async function withGateway<T>(count: number, work: (gateway: BenchGateway) => Promise<T>): Promise<T> {
  const database = await createDatabase()
  const gateway = await openBenchGateway({ databaseUrl: database.url, processes: count })
  try {
    return await work(gateway)
  } finally {
    await gateway.close()
    await database.drop()
  }
}

/** Milliseconds from the hook at the first process to the frame at a subscriber of the process at `url`. */
async function timeEvents(gateway: BenchGateway, url: string): Promise<number[]> {
  const jobs = await gateway.createJobs(EVENTS)
  const client = await connectClient(url)
  const sentAt = new Map<string, number>()
  const waits: number[] = []
  const clients = [client]
  while (clients.length < EVENTS / 20) clients.push(await connectClient(url))
  for (const one of clients) {
    one.onNext = (id, text, at) => {
      if (text.includes('"done":true')) waits.push(at - (sentAt.get(id) ?? at))
    }
  }
  await Promise.all(jobs.map(async (job, n) => clients[n % clients.length]?.subscribe(job.id, watchJob(job.id))))
  await betweenPolls(jobs)
  for (const job of jobs) {
    sentAt.set(job.id, performance.now())
    void gateway.finish(job)
    await delay(1_000 / EVENTS_PER_SECOND)
  }
  await until(() => waits.length === jobs.length, { timeoutMs: 20_000 })
  for (const { socket } of clients) socket.terminate()
  return waits
}

/** The hook arrives at one process, and the subscriber is connected to another. */
async function across(): Promise<Figures> {
  return [...(await acrossSome(2)), ...(await acrossSome(4))]
}

async function acrossSome(count: number): Promise<Figures> {
  return withGateway(count, async (gateway) => {
    const within = await timeEvents(gateway, gateway.urls[0] ?? '')
    const between = await timeEvents(gateway, gateway.urls.at(-1) ?? '')
    return [
      [`${count} processes: p50, p99 from the hook to the frame within one, ${EVENTS_PER_SECOND}/s`, pair(within)],
      [`${count} processes: the same, with hook and subscriber at different processes`, pair(between)],
    ]
  })
}

/** One process dies under load. */
async function takeover(): Promise<Figures> {
  return [await killOneOf(2), await killOneOf(4)]
}

async function killOneOf(count: number): Promise<Figures[number]> {
  return withGateway(count, async (gateway) => {
    const jobs = await gateway.createJobs(200)
    const asked = jobs.length
    // Half of the hooks go to the process that is about to be killed; the other jobs are found by polling only.
    const killed = gateway.processes[0]
    for (const [n, job] of jobs.entries()) {
      if (n % 2 === 0) void gateway.finish(job).catch(() => null)
      else job.accepted.state = { status: 'SUCCESS' }
      if (n === 100) await killed?.stop('SIGKILL')
    }
    const from = performance.now()
    const isAllDone = async () =>
      (await readStore(gateway.databaseUrl)).jobs.filter(({ status }) => status === 'SUCCESS').length === asked
    await until(isAllDone, { timeoutMs: 60_000, everyMs: 100 }).catch(() => null)
    const doneMs = performance.now() - from
    const { jobs: stored } = await readStore(gateway.databaseUrl)
    const lost = stored.filter(({ status }) => status !== 'SUCCESS').length
    const chargedTwice =
      gateway.upstream.accepted.length - new Set(gateway.upstream.accepted.map((job) => job.targetImage)).size
    expectThat(lost === 0 && chargedTwice === 0, 'no swap lost or charged twice')
    expectThat(doneMs < 15_000, 'taken over within 15 s')
    return [
      `kill -9 of one of ${count} with ${asked} jobs upstream: lost, charged twice, all done after`,
      `${lost}, ${chargedTwice}, ${milliseconds(doneMs)}`,
    ]
  })
}

/** The connection between one process and the database silently drops bytes, then recovers. */
async function cut(): Promise<Figures> {
  const database = await createDatabase()
  const { wire, through } = await openWireTo(database.url)
  const gateway = await openBenchGateway({ databaseUrl: database.url, processes: 2, databaseUrlOfLast: through })
  try {
    const [, there = ''] = gateway.urls
    const jobs = await gateway.createJobs(20)
    const waits: number[] = []
    const client = await connectClient(there)
    const sentAt = new Map<string, number>()
    client.onNext = (id, text, at) => {
      if (text.includes('"done":true')) waits.push(at - (sentAt.get(id) ?? at))
    }
    for (const job of jobs) await client.subscribe(job.id, watchJob(job.id))
    await wire.fail({ kind: 'blackHole', direction: 'both' })
    for (const job of jobs) {
      sentAt.set(job.id, performance.now())
      await gateway.finish(job)
    }
    await delay(10_000)
    const duringCut = waits.length
    await wire.heal()
    const healedAt = performance.now()
    await until(() => waits.length === jobs.length, { timeoutMs: 30_000 }).catch(() => null)
    const afterHealMs = performance.now() - healedAt
    expectThat(waits.length === jobs.length, 'every event arrives once the connection is back')
    client.socket.terminate()
    return [
      ['events of 20 that arrive while one process cannot reach the database', String(duringCut)],
      ['all of them after the connection is back', milliseconds(afterHealMs)],
    ]
  } finally {
    await gateway.close()
    await wire.close()
    await database.drop()
  }
}

/** Starts measuring CPU use. @returns a function that formats it in cores, by process. */
function watchShares(gateway: BenchGateway): () => string {
  const from = performance.now()
  const ownFrom = process.cpuUsage()
  const ofGateways = () => gateway.processes.reduce((total, one) => total + one.cpuMs(), 0)
  const gatewaysFrom = ofGateways()
  const postgresFrom = cpuMsOfAll('postgres')
  return () => {
    const wallMs = performance.now() - from
    const own = process.cpuUsage(ownFrom)
    const gateways = ((ofGateways() - gatewaysFrom) / wallMs).toFixed(2)
    const clients = ((own.user + own.system) / 1_000 / wallMs).toFixed(2)
    const postgres = ((cpuMsOfAll('postgres') - postgresFrom) / wallMs).toFixed(2)
    return `gateways ${gateways} cores, PostgreSQL ${postgres}, clients and upstream ${clients}, of ${availableParallelism()}`
  }
}

/** The same load on one, two and four processes. */
async function throughput(): Promise<Figures> {
  const figures: [string, string][] = []
  for (const count of [1, 2, 4]) {
    await withGateway(count, async (gateway) => {
      let [job] = await gateway.createJobs(1)
      const shares = watchShares(gateway)
      let from = performance.now()
      // Finished in between, because each new swap counts the swaps in flight.
      for (let carried = 0; carried < SWAPS; carried += 100) {
        const jobs = await gateway.createJobs(100)
        await Promise.all(jobs.map(async (one) => gateway.finish(one)))
        job = jobs[0]
      }
      const perSecond = (SWAPS * 1_000) / (performance.now() - from)
      const busy = shares()
      if (!job) throw new TypeError('a job was asked for')
      const queries = 4_000
      const body = JSON.stringify({ query: '{ swapJob(id: "ID") { id status done } }'.replace('ID', job.id) })
      from = performance.now()
      await makeMany(queries, async (n) => {
        const response = await fetch(`${gateway.urls[n % count]}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
        })
        await response.arrayBuffer()
      })
      const queriesPerSecond = (queries * 1_000) / (performance.now() - from)
      figures.push([
        `${count} processes: swaps created and finished, queries of a finished job`,
        `${perSecond.toFixed(0)}/s, ${queriesPerSecond.toFixed(0)}/s`,
      ])
      figures.push([`${count} processes: CPU used by the swaps`, busy])
    })
  }
  return figures
}

/** Many subscribers over two processes, and a steady stream of changes. */
async function soak(): Promise<Figures> {
  return withGateway(2, async (gateway) => {
    const perProcess = SUBSCRIBERS / 2
    const query = 'subscription { swapJobsUpdated { kind cursor job { id status version } } }'
    // Each subscriber watches its own job; ten at each process read every change.
    const idle = await gateway.createJobs(100)
    const clients = await makeMany(SUBSCRIBERS, async (n) => {
      const client = await connectClient(gateway.urls[n < perProcess ? 0 : 1] ?? '')
      await client.subscribe('1', watchJob(idle[n % idle.length]?.id ?? ''))
      return client
    })
    const readers = await Promise.all(
      gateway.urls.flatMap((url) => Array.from({ length: 10 }, async () => connectClient(url))),
    )
    const seen = readers.map(() => new Map<string, string>())
    await Promise.all(
      readers.map(async (reader, n) => {
        reader.onNext = (_id, text) => {
          const [, id = '', status = ''] = /"job":\{"id":"([^"]+)","status":"([^"]+)"/.exec(text) ?? []
          seen[n]?.set(id, status)
        }
        return reader.subscribe('all', { query })
      }),
    )
    const before = await Promise.all(gateway.processes.map(async (one) => one.memory()))
    const shares = watchShares(gateway)
    const from = performance.now()
    let changes = 0
    const made: BenchJob[] = []
    const under = new Set<Promise<void>>()
    const carry = async () => {
      const batch = await gateway.createJobs(CREATED_AT_ONCE)
      made.push(...batch)
      for (const job of batch) void gateway.finish(job)
    }
    while (performance.now() - from < SECONDS * 1_000) {
      const carried = carry().finally(() => under.delete(carried))
      under.add(carried)
      // Three changes each: recorded, sent, done.
      changes += CREATED_AT_ONCE * 3
      const early = from + (changes * 1_000) / CHANGES_PER_SECOND - performance.now()
      if (early > 1) await delay(early)
      if (under.size >= MAX_IN_PROGRESS) await Promise.race(under)
    }
    await Promise.all(under)
    const rate = changes / ((performance.now() - from) / 1_000)
    const busy = shares()
    const isComplete = () => seen.every((one) => made.every(({ id }) => one.get(id) === 'SUCCESS'))
    await until(isComplete, { timeoutMs: 60_000, everyMs: 500 }).catch(() => null)
    const missed = seen.reduce((total, one) => total + made.filter(({ id }) => one.get(id) !== 'SUCCESS').length, 0)
    const after = await Promise.all(gateway.processes.map(async (one) => one.memory()))
    const grown = after.map(({ resident }, n) => resident - (before[n]?.resident ?? 0))
    expectThat(missed === 0, 'no subscriber missed a final state')
    for (const { socket } of [...clients, ...readers]) socket.terminate()
    return [
      [`${SUBSCRIBERS} subscribers, ${SECONDS} s: changes a second`, rate.toFixed(0)],
      ['busy meanwhile', busy],
      [`final states missed by 20 subscribers of ${made.length} jobs`, String(missed)],
      ['memory growth of each process', grown.map(kilobytes).join(', ')],
    ]
  })
}
