/**
 * Runs all faults and prints one table: `npm run test:faults [-- --only <regular expression>] [--times <n>]
 * [--share <0 to 1>]`; `--share` is the fraction of the long form's repetitions to run. Exits with 1 if a job
 * was lost or charged twice, or a promise was broken. `TEST_ENGINE=postgres` uses PostgreSQL: the server at
 * `TEST_DATABASE_URL` if it is set, otherwise one from npm.
 */
import { parseArgs } from 'node:util'
import { buildFaultProgram } from '../support/build.ts'
import { startPostgres } from '../support/postgres.ts'
import { isOnPostgres } from '../support/raw-database.ts'
import { killLeftGateways } from './gateway-process.ts'
import { describeScale, measureScale, READY_WITHIN_MS } from './scale.ts'
import { isHeld, type Result, type Scenario, toRow, toTable } from './scenario.ts'
import { scenarios } from './scenarios.ts'

/** For two cores: a gateway and the run itself keep one core busy. */
const AT_ONCE = 2

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    times: { type: 'string' },
    share: { type: 'string', default: '1' },
    short: { type: 'boolean' },
  },
})
const print = (text: string) => process.stdout.write(`${text}\n`)

const STORED = 100_000
const results = new Map<string, Result>()
let scale: Awaited<ReturnType<typeof measureScale>> | null = null

async function runOne(scenario: Scenario): Promise<void> {
  const { short, long } = scenario.times
  const many = Math.max(short, Math.ceil(long * Number(values.share)))
  const times = Number(values.times ?? (values.short ? short : many))
  const startedAt = performance.now()
  const result = await scenario.run(times).catch((error: unknown): Result => ({
    injected: 0,
    accepted: 0,
    lost: [],
    chargedTwice: [],
    recoveriesMs: [],
    breaches: [error instanceof Error ? (error.stack ?? error.message) : String(error)],
  }))
  results.set(scenario.name, result)
  process.stderr.write(
    `${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(7)} s  ${toRow(scenario.name, result)}\n`,
  )
  for (const breach of result.breaches.slice(0, 10)) process.stderr.write(`            ${breach}\n`)
}

const isChosen = (name: string) => new RegExp(values.only ?? '').test(name)
await buildFaultProgram()
const server = isOnPostgres ? await startPostgres() : null
if (server) process.env['TEST_DATABASE_URL'] = server.url
const chosen = scenarios.filter(({ name, times }) => isChosen(name) && (!values.short || times.short > 0))
try {
  const queue = chosen.filter(({ isAlone }) => !isAlone)
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = queue.shift(); next; next = queue.shift()) await runOne(next)
    }),
  )
  for (const scenario of chosen.filter(({ isAlone }) => isAlone)) await runOne(scenario)
  if (isChosen('scale')) scale = await measureScale(STORED)
} finally {
  await killLeftGateways()
  await server?.stop()
}

const rows = chosen.flatMap(({ name }) => {
  const result = results.get(name)
  return result ? [[name, result] as const] : []
})
print(toTable(rows))
const broken = rows.filter(([, result]) => !isHeld(result))
for (const [name, { breaches, lost, chargedTwice }] of broken) {
  print(`\n**${name}**\n`)
  for (const text of [...breaches.slice(0, 10), ...lost.slice(0, 5).map((id) => `lost: ${id}`)]) print(`- ${text}`)
  for (const image of chargedTwice.slice(0, 5)) print(`- charged twice: ${image}`)
}
if (scale) print(`\n${describeScale(scale)}`)
const isSlow = scale !== null && scale.readyAfterMs > READY_WITHIN_MS
process.exitCode = (rows.length === 0 && !scale) || broken.length > 0 || isSlow ? 1 : 0
