/**
 * What one read-only caller does to everybody else: `npm run bench -- one-caller`. With `BENCH_STORED` jobs stored
 * (1,000,000), one caller sends the dearest requests that the limits let pass, `BENCH_CALLERS` (8) at a time, each with
 * another text so that no answer is kept. Measured: how late the event loop of the gateway is, and how long a
 * small query and a `createSwap` of others take, beside the same without that caller, in one run.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { seedJobs } from '../test/support/seed-jobs.ts'
import { throughSideDoor } from '../test/support/side-door.ts'
import { percentile } from './realtime/figures.ts'
import { type BenchGateway, openBenchGateway } from './realtime/gateway.ts'
import { finishOne } from './realtime/stored-jobs.ts'

const STORED = Number(process.env['BENCH_STORED'] ?? 1_000_000)
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 10)
const CALLERS_AT_ONCE = Number(process.env['BENCH_CALLERS'] ?? 8)
const OTHERS_EVERY_MS = 20

const times = (count: number, part: (n: number) => string) =>
  Array.from({ length: count }, (_unused, n) => part(n)).join(' ')

/** Each as dear as a limit allows. */
const DEAR: Readonly<Record<string, string>> = {
  'ten lists': `{ ${times(10, (n) => `a${n}: swapJobs(first: 20) { nodes { id status tags } }`)} }`,
  'five lists with counts': `{ ${times(5, (n) => `a${n}: swapJobs(first: 20) { totalCount }`)} }`,
  'ten sums': `{ ${times(10, (n) => `a${n}: swapUsage(window: LAST_30_DAYS) { jobs quotaSpent }`)} }`,
  'lists of a tag and a status that no job has both': `{ ${times(5, (n) => `a${n}: swapJobs(first: 20, filter: { tags: ["x"], statuses: [LOST] }) { totalCount }`)} }`,
  '200 jobs with as many values as allowed': `{ a: swapJobs(first: 100) { nodes { ...F } } b: swapJobs(last: 100) { nodes { ...F } } }
    fragment F on SwapJob { ${times(36, (n) => `f${n}: createdAt`)} timeline { at status } charge { state quota } result { url } }`,
  '100 estimates': `{ ${times(5, (n) => `a${n}: swapJobs(first: 20) { nodes { progress { ahead } } }`)} }`,
}

interface Measured {
  readonly lag: { readonly p99Ms: number; readonly maxMs: number }
  readonly queriesMs: readonly number[]
  readonly createsMs: readonly number[]
  readonly dearMs: readonly number[]
}

const gateway = await openBenchGateway({ settings: { MAX_IN_FLIGHT: '100000' } })
try {
  await finishOne(gateway, { tags: ['x'] })
  await seedJobs(
    gateway.databaseUrl,
    STORED - 1,
    { created_at: 'created_at - n' },
    { job_tags: { created_at: 'created_at - n' } },
  )
  const [id] = await throughSideDoor(gateway.databaseUrl, async ({ query }) => query('select id from jobs limit 1'))
  const alone = await measure(gateway, String(Reflect.get(Object(id), 'id')), null)
  console.log(
    `| ${STORED} jobs stored | loop late by, p99 ms | at most, ms | query p99 ms | × alone | createSwap p99 ms | × alone | request itself p50 ms |`,
  )
  console.log('|---|--:|--:|--:|--:|--:|--:|--:|')
  print('alone', alone, alone)
  for (const [name, query] of Object.entries(DEAR))
    print(name, await measure(gateway, String(Reflect.get(Object(id), 'id')), query), alone)
} finally {
  await gateway.close()
}

/** Of the ninety-ninth of a hundred. */
function ratio(of: readonly number[], to: readonly number[]): string {
  return (percentile(of, 0.99) / percentile(to, 0.99)).toFixed(1)
}

function print(name: string, { lag, queriesMs, createsMs, dearMs }: Measured, alone: Measured): void {
  const cells = [
    lag.p99Ms.toFixed(1),
    lag.maxMs.toFixed(1),
    percentile(queriesMs, 0.99).toFixed(1),
    ratio(queriesMs, alone.queriesMs),
    percentile(createsMs, 0.99).toFixed(1),
    ratio(createsMs, alone.createsMs),
    dearMs.length === 0 ? '' : percentile(dearMs, 0.5).toFixed(0),
  ]
  console.log(`| ${name} | ${cells.join(' | ')} |`)
}

/** @param dear what the one caller sends; null: nothing. */
async function measure(
  { process: server, url, createJobs }: BenchGateway,
  id: string,
  dear: string | null,
): Promise<Measured> {
  const queriesMs: number[] = []
  const createsMs: number[] = []
  const dearMs: number[] = []
  const isOver = new AbortController()
  const send = async (query: string, into: number[]) => {
    const from = performance.now()
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    })
    const text = await response.text()
    if (text.includes('COST_ESTIMATED_TOO_EXPENSIVE')) throw new Error(text)
    into.push(performance.now() - from)
  }
  let sent = 0
  const callDear = async () => {
    if (dear === null) return
    while (!isOver.signal.aborted) await send(`${dear} # ${(sent += 1)}`, dearMs)
  }
  const callOthers = async () => {
    while (!isOver.signal.aborted) {
      await send(`{ swapJob(id: "${id}") { status } } # ${(sent += 1)}`, queriesMs)
      const from = performance.now()
      await createJobs(1)
      createsMs.push(performance.now() - from)
      await delay(OTHERS_EVERY_MS)
    }
  }
  await delay(1_000)
  await server.collect()
  await server.watchLoop()
  const work = [callOthers(), ...Array.from({ length: CALLERS_AT_ONCE }, callDear)]
  await delay(SECONDS * 1_000)
  const lag = await server.readLoop()
  isOver.abort()
  await Promise.all(work)
  return { lag, queriesMs, createsMs, dearMs }
}
