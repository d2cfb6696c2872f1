/** Measures one turn of one contender: the throughput of 32 connections, and the cost to its process. */
import { setTimeout as delay } from 'node:timers/promises'
import autocannon from 'autocannon'
import type { FakeUpstream } from '../../test/support/fake-upstream.ts'
import { CONNECTIONS, type Load } from './ask.ts'
import type { Contender } from './contenders.ts'
import type { Column } from './table.ts'

const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 3)
/** Time for requests in progress when the connections are cut. */
const SETTLE_MS = 200

/** All figures are per request, except the rate. */
export interface Measurement {
  readonly cpuUs: number
  readonly perSecond: number
  readonly p99Ms: number
  readonly upstreamCalls: number
}

export const COLUMNS: readonly Column<Measurement>[] = [
  { title: 'CPU µs a request', valueOf: ({ cpuUs }) => cpuUs },
  { title: "limit's CPU / its CPU", digits: 2, valueOf: ({ cpuUs }, limit) => limit.cpuUs / cpuUs },
  { title: 'requests/s', valueOf: ({ perSecond }) => perSecond },
  { title: 'p99 ms', valueOf: ({ p99Ms }) => p99Ms },
  { title: 'upstream calls a request', digits: 2, valueOf: ({ upstreamCalls }) => upstreamCalls },
]

/** @throws if a response differs from the first one. */
export async function measure(contender: Contender, load: Load): Promise<Measurement> {
  const { server, upstream } = contender
  const [cpuMs, calls] = [server.cpuMs(), countCalls(upstream)]
  const result = await run(server.url, load)
  await delay(SETTLE_MS)
  const { total, sent } = result.requests
  const asFirst = result.statusCodeStats?.[`${contender.status}`]?.count ?? 0
  if (result.errors > 0 || asFirst < total) {
    throw new Error(`${contender.name}: ${result.errors} errors, ${JSON.stringify(result.statusCodeStats)}`)
  }
  return {
    // Requests in flight at the end also cost CPU.
    cpuUs: ((server.cpuMs() - cpuMs) * 1_000) / sent,
    upstreamCalls: (countCalls(upstream) - calls) / sent,
    perSecond: total / result.duration,
    p99Ms: result.latency.p99,
  }
}

async function run(url: string, load: Load) {
  let connection = 0
  return autocannon({
    url,
    connections: CONNECTIONS,
    duration: SECONDS,
    setupClient: (client) => {
      client.setRequests(load.shareOf(connection))
      connection += 1
    },
  })
}

function countCalls({ fetched, submits }: FakeUpstream): number {
  return fetched.length + submits
}
