/**
 * Measures lists and webhooks: `npx tsx bench/graph.ts [scenario …]` prints one Markdown table, after `npm run build`.
 * All programs share this machine, so compare the ratios.
 *
 * - `lists`: the first page compared with the thousandth, with 100,000 jobs stored.
 * - `deliveries`: webhooks per second to one receiver that takes 100 ms for each.
 * - `silence`: the delay of webhooks, with and without another receiver that never responds.
 */
import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { openScriptedHost } from '../test/support/scripted-host.ts'
import { seedJobs } from '../test/support/seed-jobs.ts'
import { until } from '../test/support/until.ts'
import { type Figures, median, pair, percentile } from './realtime/figures.ts'
import { type BenchGateway, openBenchGateway } from './realtime/gateway.ts'
import { finishOne } from './realtime/stored-jobs.ts'

const STORED = 100_000
const PAGE = 20
const DEEP = 1_000
const ROUNDS = 100
const EVENTS = 5_000
const TAKES_MS = 100
const TOLD_PER_PHASE = 200
const PHASES = 3
const EVERY_MS = 25

const scenarios = { lists, deliveries, silence }
const chosen = process.argv.slice(2)
const rows: string[] = []
for (const [name, run] of Object.entries(scenarios)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue
  for (const [what, figure] of await run()) {
    rows.push(`| ${name} | ${what} | ${figure} |`)
    process.stderr.write(`${rows.at(-1)}\n`)
  }
}
console.log(['| scenario | what | measured |', '|---|---|---|', ...rows].join('\n'))

interface Answer {
  readonly data?: { readonly swapJobs: { readonly edges: readonly { readonly cursor: string }[] } }
  readonly errors?: unknown
}

async function ask(gateway: BenchGateway, query: string, variables: object) {
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  })
  // The queries, and so the shapes, are in this file.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const { data, errors } = (await response.json()) as Answer
  if (!data) throw new Error(JSON.stringify(errors))
  return data.swapJobs.edges
}

async function lists(): Promise<Figures> {
  const gateway = await openBenchGateway()
  try {
    await finishOne(gateway, { tags: ['shop'], clientReference: 'order' })
    const createdAt = 'created_at + n'
    await seedJobs(
      gateway.databaseUrl,
      STORED - 1,
      { created_at: createdAt, status: `case n % 10 when 0 then 'FAILED' else 'SUCCESS' end` },
      { job_tags: { created_at: createdAt } },
    )
    const query = `query ($filter: SwapJobFilter, $first: Int!, $after: String) {
      swapJobs(filter: $filter, first: $first, after: $after) { edges { cursor node { id status } } } }`
    const filters = {
      'no filter': {},
      'a status': { statuses: ['SUCCESS'] },
      'all finished': { done: true },
      'a tag': { tags: ['shop'] },
      'a client reference': { clientReference: 'order' },
      'a time range': { createdFrom: '2020-01-01T00:00:00Z', createdBefore: '2100-01-01T00:00:00Z' },
      'a tag and a status': { tags: ['shop'], statuses: ['SUCCESS'] },
    }
    const figures: [string, string][] = []
    for (const [what, filter] of Object.entries(filters)) {
      let after: string | undefined
      for (let skipped = 0; skipped < (DEEP - 1) * PAGE;) {
        const first = Math.min(100, (DEEP - 1) * PAGE - skipped)
        after = (await ask(gateway, query, { filter, first, after })).at(-1)?.cursor
        skipped += first
      }
      const time = async (cursor: string | undefined) => {
        const from = performance.now()
        const edges = await ask(gateway, query, { filter, first: PAGE, after: cursor })
        if (edges.length !== PAGE) throw new Error(`a page of ${edges.length}`)
        return performance.now() - from
      }
      const shallow: number[] = []
      const deep: number[] = []
      for (let n = 0; n < ROUNDS; n += 1) {
        shallow.push(await time(undefined))
        deep.push(await time(after))
      }
      const ratio = (median(deep) / median(shallow)).toFixed(2)
      figures.push([
        `${what}: page 1, page ${DEEP}, ratio`,
        `${median(shallow).toFixed(2)} ms, ${median(deep).toFixed(2)} ms, ${ratio}`,
      ])
    }
    return figures
  } finally {
    await gateway.close()
  }
}

/** Opens a receiver on loopback that records the arrival time of each event, by job. */
async function openReceiver(answer: (response: ServerResponse) => void) {
  const arrivals = new Map<string, { readonly at: number; readonly lateMs: number }>()
  const { host, close } = await openScriptedHost(({ body }, response) => {
    const [, id = ''] = /"id":"([^"]+)"/.exec(body) ?? []
    const [, endedAt = ''] = /"timestamp":"([^"]+)"/.exec(body) ?? []
    if (!arrivals.has(id)) arrivals.set(id, { at: performance.now(), lateMs: Date.now() - Date.parse(endedAt) })
    answer(response)
  })
  return { host, arrivals, close }
}

async function deliveries(): Promise<Figures> {
  const receiver = await openReceiver((response) => {
    setTimeout(() => response.writeHead(204).end(), TAKES_MS)
  })
  const gateway = await openBenchGateway({ settings: { ALLOWED_PRIVATE_HOSTS: receiver.host } })
  try {
    await finishOne(gateway, { hookUrl: `http://${receiver.host}/` })
    await until(() => receiver.arrivals.size === 1)
    await delay(500)
    const body = `replace(body, job_id, 'job_seed' || substr('0000000000000000000000' || n, length('' || n) + 1))`
    const due = { id: `'evt_seed' || n`, body, state: `'WAITING'`, tries: '0', next_at: String(Date.now()) }
    await seedJobs(gateway.databaseUrl, EVENTS, {}, { webhooks: due })
    await until(() => receiver.arrivals.size === EVENTS + 1, { timeoutMs: 60_000 })
    const times = [...receiver.arrivals.values()].slice(1).map(({ at }) => at)
    const seconds = (Math.max(...times) - Math.min(...times)) / 1_000
    return [
      [
        `${EVENTS} webhooks to one receiver that takes ${TAKES_MS} ms for each`,
        `${(EVENTS / seconds).toFixed(0)} a second`,
      ],
    ]
  } finally {
    await gateway.close()
    await receiver.close()
  }
}

async function silence(): Promise<Figures> {
  const held: ServerResponse[] = []
  let isSilent = true
  const live = await openReceiver((response) => response.writeHead(204).end())
  const silent = await openReceiver((response) => {
    if (isSilent) held.push(response)
    else response.writeHead(204).end()
  })
  const gateway = await openBenchGateway({ settings: { ALLOWED_PRIVATE_HOSTS: `${live.host},${silent.host}` } })
  /** Measures the delay from a job's end to its webhook, for several jobs. */
  const measure = async () => {
    const jobs = await gateway.createJobs(TOLD_PER_PHASE, { hookUrl: `http://${live.host}/` })
    for (const job of jobs) {
      await gateway.finish(job)
      await delay(EVERY_MS)
    }
    await until(() => jobs.every(({ id }) => live.arrivals.has(id)), { timeoutMs: 30_000 })
    return jobs.map(({ id }) => live.arrivals.get(id)?.lateMs ?? Number.NaN)
  }
  try {
    await measure()
    const without: number[] = []
    const beside: number[] = []
    for (let phase = 0; phase < PHASES; phase += 1) {
      without.push(...(await measure()))
      isSilent = true
      for (const job of await gateway.createJobs(300, { hookUrl: `http://${silent.host}/` })) await gateway.finish(job)
      await until(() => held.length >= 48, { timeoutMs: 30_000 })
      beside.push(...(await measure()))
      isSilent = false
      for (const response of held.splice(0)) response.writeHead(204).end()
      await delay(2_000)
    }
    const ratio = (percentile(beside, 0.99) / percentile(without, 0.99)).toFixed(2)
    return [
      ['webhook latency after the end of the job, alone (p50, p99)', pair(without)],
      ['the same, beside a receiver that never responds', pair(beside)],
      ['ratio of p99', ratio],
    ]
  } finally {
    await gateway.close()
    await live.close()
    await silent.close()
  }
}
