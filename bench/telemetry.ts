/**
 * The cost of metrics and logs for the cheapest request, a finished job: `npm run bench -- telemetry` compares a gateway with
 * both to one without, in turns in one run. Two processes of the same program differ by up to 5 %, so several pairs are
 * measured (`BENCH_PAIRS`, 5). With metrics, the gateway is scraped once per second. `BENCH_ROUNDS` (3, per pair) and
 * `BENCH_SECONDS` (3) are those of `bench/http.ts`.
 */
import { findFreePort } from '../test/faults/gateway-process.ts'
import { makeJobs } from './http/bench-jobs.ts'
import { measure, type Measurement } from './http/measure.ts'
import { measureInRounds } from './http/rounds.ts'
import { type Scenario, scenarios } from './http/scenarios.ts'
import { ENVIRONMENT } from './http/stage.ts'
import { type Column, type Measured, toSection, toTables } from './http/table.ts'
import { openBenchGateway } from './realtime/gateway.ts'

const PAIRS = Number(process.env['BENCH_PAIRS'] ?? 5)
const SCRAPE_EVERY_MS = 1_000

const COLUMNS: readonly Column<Measurement>[] = [
  { title: 'CPU µs a request', digits: 1, valueOf: ({ cpuUs }) => cpuUs },
  { title: 'CPU without / its CPU', digits: 2, valueOf: ({ cpuUs }, without) => without.cpuUs / cpuUs },
]

const { finished } = scenarios
if (!finished) throw new TypeError('the scenario exists')
let all: Measured<Measurement>[] = []
for (let pair = 0; pair < PAIRS; pair += 1) {
  const measured = await comparePair(finished, pair % 2 === 1)
  all = measured.map(({ name, measurements }) => {
    const earlier = all.find((one) => one.name === name)?.measurements ?? []
    return { name, measurements: [...earlier, ...measurements] }
  })
}
console.log(toTables([toSection('finished', COLUMNS, all)]))
process.exit(0)

/** @param startsWith whether the gateway with metrics is started first. @returns the gateway without them first. */
async function comparePair(scenario: Scenario, startsWith: boolean): Promise<Measured<Measurement>[]> {
  const adminPort = await findFreePort()
  const settings = {
    without: { ADMIN_PORT: '0', LOG_LEVEL: 'silent' },
    'metrics and logs': { ADMIN_PORT: String(adminPort), LOG_LEVEL: 'info' },
  }
  const names = Object.entries(settings)
  const contenders: Contender[] = []
  for (const [name, own] of startsWith ? names.toReversed() : names) {
    contenders.push(await openContender(name, scenario, own))
  }
  const ordered = startsWith ? contenders.toReversed() : contenders
  const scraping = setInterval(() => {
    fetch(`http://127.0.0.1:${adminPort}/metrics`).then(
      async (response) => response.text(),
      (error: unknown) => console.error(error),
    )
  }, SCRAPE_EVERY_MS)
  try {
    return await measureInRounds(ordered, async (one) => measure(one, one.load))
  } finally {
    clearInterval(scraping)
    await Promise.all(contenders.map(async (one) => one.close()))
  }
}

type Contender = Awaited<ReturnType<typeof openContender>>

async function openContender(name: string, scenario: Scenario, telemetry: Readonly<Record<string, string>>) {
  const gateway = await openBenchGateway({ settings: { ...ENVIRONMENT, ...scenario.settings, ...telemetry } })
  const [first, ...rest] = await makeJobs(gateway, scenario.jobs)
  if (!first) throw new TypeError('a scenario has a job at least')
  const { upstream, close } = gateway
  return { name, server: gateway.process, upstream, status: 200, load: scenario.loadOf([first, ...rest]), close }
}
