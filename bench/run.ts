/**
 * `npm run bench [-- scenario …]` runs all benchmarks except `soak`, or the named ones. Each prints Markdown tables. For
 * what they measure, and the variables that shorten them, see `bench/http.ts`, `bench/realtime.ts`, `bench/telemetry.ts`,
 * `bench/engine.ts`, `bench/first-swap.ts`, `bench/noisy-neighbour.ts` and `bench/soak.ts`.
 */
import { spawnSync } from 'node:child_process'
import { scenarios as httpScenarios } from './http/scenarios.ts'
import { scenarios as realtimeScenarios } from './realtime/scenarios.ts'

const SCRIPTS: readonly {
  readonly file: string
  readonly scenarios: readonly string[]
  readonly takesNames: boolean
  /** Whether it runs only if it is named. */
  readonly isOnRequest?: true
}[] = [
  { file: 'bench/http.ts', scenarios: Object.keys(httpScenarios), takesNames: true },
  { file: 'bench/realtime.ts', scenarios: Object.keys(realtimeScenarios), takesNames: true },
  { file: 'bench/telemetry.ts', scenarios: ['telemetry'], takesNames: false },
  { file: 'bench/first-swap.ts', scenarios: ['first-swap'], takesNames: false },
  { file: 'bench/engine.ts', scenarios: ['engine'], takesNames: false },
  { file: 'bench/noisy-neighbour.ts', scenarios: ['noisy-neighbour'], takesNames: false },
  { file: 'bench/soak.ts', scenarios: ['soak'], takesNames: false, isOnRequest: true },
]

const chosen = process.argv.slice(2)
const known = SCRIPTS.flatMap(({ scenarios }) => scenarios)
const unknown = chosen.filter((name) => !known.includes(name))
if (unknown.length > 0) {
  console.error(`Unknown: ${unknown.join(', ')}. The scenarios are ${known.join(', ')}.`)
  process.exit(1)
}
let isBroken = false
for (const { file, scenarios, takesNames, isOnRequest = false } of SCRIPTS) {
  const names = chosen.filter((name) => scenarios.includes(name))
  if (names.length === 0 && (chosen.length > 0 || isOnRequest)) continue
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', file, ...(takesNames ? names : [])], {
    stdio: 'inherit',
  })
  isBroken ||= status !== 0
}
process.exit(isBroken ? 1 : 0)
