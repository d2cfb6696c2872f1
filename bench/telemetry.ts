/**
 * The cost of metrics and logs for the cheapest request, a finished job: `npm run bench -- telemetry` compares a gateway with
 * both to one without. Two processes of the same program differ by up to 5 %, so `BENCH_PAIRS` (6) fresh pairs are measured, each
 * in `BENCH_ROUNDS` (60) short turns. CPU is the kernel's figure in nanoseconds, because a turn takes a fraction of a second.
 */
import { Agent, request } from 'node:http'
import { findFreePort } from '../test/faults/gateway-process.ts'
import { CONNECTIONS, toAsk } from './http/ask.ts'
import { makeJobs } from './http/bench-jobs.ts'
import { ENVIRONMENT } from './http/stage.ts'
import { toSection, toTables } from './http/table.ts'
import { median } from './realtime/figures.ts'
import { openBenchGateway } from './realtime/gateway.ts'

const PAIRS = Number(process.env['BENCH_PAIRS'] ?? 6)
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 60)
const REQUESTS = 1_000
const WARM_UP = 10_000
const READ = 'query ($id: ID!) { swapJob(id: $id) { id status done version result { url } charge { state quota } } }'

const CONTENDERS = ['without', 'metrics and logs'] as const
const measured = CONTENDERS.map((name) => ({ name, measurements: [] as { readonly cpuUs: number }[] }))
for (let pair = 0; pair < PAIRS; pair += 1) {
  for (const [n, cpuUs] of (await measurePair()).entries()) measured[n]?.measurements.push({ cpuUs })
}
const columns = [
  { title: 'CPU µs a request', digits: 1, valueOf: ({ cpuUs }: { readonly cpuUs: number }) => cpuUs },
  {
    title: 'CPU without / its CPU',
    digits: 2,
    valueOf: ({ cpuUs }: { readonly cpuUs: number }, without: { readonly cpuUs: number }) => without.cpuUs / cpuUs,
  },
]
console.log(toTables([toSection('finished', columns, measured)]))
console.log(`\nMedians of ${PAIRS} pairs of fresh processes, of each the median of ${ROUNDS} turns in alternation.`)
process.exit(0)

/** @returns the CPU microseconds of a request, in the order of `CONTENDERS`. */
async function measurePair(): Promise<number[]> {
  const contenders = [
    await openContender({ ADMIN_PORT: '0', LOG_LEVEL: 'silent' }),
    await openContender({ ADMIN_PORT: String(await findFreePort()), LOG_LEVEL: 'info' }),
  ]
  const turns = contenders.map((): number[] => [])
  try {
    for (const contender of contenders) await contender.send(WARM_UP)
    for (let round = 0; round < ROUNDS; round += 1) {
      const order = round % 2 === 0 ? [0, 1] : [1, 0]
      for (const n of order) {
        const contender = contenders[n]
        if (!contender) throw new TypeError('there are two')
        const before = contender.server.scheduledUs()
        await contender.send(REQUESTS)
        turns[n]?.push((contender.server.scheduledUs() - before) / REQUESTS)
      }
    }
  } finally {
    await Promise.all(contenders.map(async ({ close }) => close()))
  }
  return turns.map(median)
}

async function openContender(settings: Readonly<Record<string, string>>) {
  const gateway = await openBenchGateway({ settings: { ...ENVIRONMENT, ...settings } })
  const [job] = await makeJobs(gateway, { finished: 1 })
  const { path, body } = toAsk(READ, { id: job?.id })
  const options = { method: 'POST', headers: { 'content-type': 'application/json' } }
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const post = async () =>
    new Promise<void>((resolve, reject) => {
      const sent = request(gateway.url + path, { ...options, agent }, (response) => {
        if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`))
        response.resume().once('end', () => resolve())
      })
      sent.once('error', reject)
      sent.end(body)
    })
  const send = async (count: number) => {
    let left = count
    const sendSome = async () => {
      while (left > 0) {
        left -= 1
        await post()
      }
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, sendSome))
  }
  return { server: gateway.process, send, close: gateway.close }
}
