/**
 * The cost of metrics and logs for the cheapest request, a finished job: `npm run bench -- telemetry` compares a gateway with
 * both to one without, in turns in one run.
 * With metrics, the gateway is scraped once per second. `BENCH_SECONDS` and `BENCH_ROUNDS` are those of `bench/http.ts`.
 */
import { findFreePort } from '../test/faults/gateway-process.ts'
import { makeJobs } from './http/bench-jobs.ts'
import { measure, type Measurement } from './http/measure.ts'
import { measureInRounds } from './http/rounds.ts'
import { type Scenario, scenarios } from './http/scenarios.ts'
import { ENVIRONMENT } from './http/stage.ts'
import { type Column, type Section, toSection, toTables } from './http/table.ts'
import { openBenchGateway } from './realtime/gateway.ts'

const SCRAPE_EVERY_MS = 1_000

const COLUMNS: readonly Column<Measurement>[] = [
  { title: 'CPU µs a request', digits: 1, valueOf: ({ cpuUs }) => cpuUs },
  { title: 'CPU without / its CPU', digits: 2, valueOf: ({ cpuUs }, without) => without.cpuUs / cpuUs },
]

const { finished } = scenarios
if (!finished) throw new TypeError('the scenario exists')
console.log(toTables([await compare('finished', finished)]))
process.exit(0)

async function compare(name: string, scenario: Scenario): Promise<Section> {
  const adminPort = await findFreePort()
  const without = await openContender('without', scenario, { ADMIN_PORT: '0', LOG_LEVEL: 'silent' })
  const both = await openContender('metrics and logs', scenario, { ADMIN_PORT: `${adminPort}`, LOG_LEVEL: 'info' })
  const scraping = setInterval(() => {
    fetch(`http://127.0.0.1:${adminPort}/metrics`).then(
      async (response) => response.text(),
      (error: unknown) => console.error(error),
    )
  }, SCRAPE_EVERY_MS)
  try {
    return toSection(name, COLUMNS, await measureInRounds([without, both], async (one) => measure(one, one.load)))
  } finally {
    clearInterval(scraping)
    await Promise.all([without.close(), both.close()])
  }
}

async function openContender(name: string, scenario: Scenario, telemetry: Readonly<Record<string, string>>) {
  const gateway = await openBenchGateway({ settings: { ...ENVIRONMENT, ...scenario.settings, ...telemetry } })
  const [first, ...rest] = await makeJobs(gateway, scenario.jobs)
  if (!first) throw new TypeError('a scenario has a job at least')
  const { upstream, close } = gateway
  return { name, server: gateway.process, upstream, status: 200, load: scenario.loadOf([first, ...rest]), close }
}
