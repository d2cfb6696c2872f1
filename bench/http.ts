/**
 * What a request over HTTP costs, beside the least it could cost and beside other servers:
 * `npx tsx bench/http.ts [scenario …]` prints one Markdown table. `BENCH_SECONDS` is the length of a turn (3),
 * `BENCH_ROUNDS` how many each contender has (3), `BENCH_JOBS` how many unfinished jobs are asked for (200). The servers
 * are processes of their own; the load and the upstream share the machine with them, so read CPU and ratios.
 */
import { type Contest, openContest } from './http/contenders.ts'
import { measure, type Turn } from './http/measure.ts'
import { type Scenario, scenarios } from './http/scenarios.ts'
import { toRows, toTable } from './http/table.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3)
const NOTE = `Medians of ${ROUNDS} rounds, from the least to the most in brackets. CPU is the kernel's account of the
server's process, all threads. Limits and peers know no callers, limits or logs. A limit sends the gateway's headers;
peers send fewer, and keep jobs in memory only: of all but the gateway, \`bare-proxy-write\` alone writes to disk. The
gateway asks the upstream for one job once a second at most.`

const chosen = process.argv.slice(2)
const unknown = chosen.filter((name) => !(name in scenarios))
if (unknown.length > 0) throw new Error(`${unknown.join(', ')}: there are ${Object.keys(scenarios).join(', ')}`)

const rows: string[] = []
for (const [name, scenario] of Object.entries(scenarios)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue
  rows.push(...(await run(name, scenario)))
}
console.log(`${toTable(rows)}\n\n${NOTE}`)
process.exit(0)

async function run(name: string, scenario: Scenario): Promise<string[]> {
  const contest = await openContest(scenario)
  try {
    const records = await takeTurns(contest)
    const [limit] = records
    const measured = limit ? toRows(name, limit, records) : []
    process.stderr.write(`${measured.join('\n')}\n`)
    return measured
  } finally {
    await contest.close()
  }
}

async function takeTurns({ contenders, load }: Contest) {
  const records = contenders.map(({ name }) => ({ name, turns: [] as Turn[] }))
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [n, contender] of contenders.entries()) {
      const turn = await measure(contender, load)
      // The first round warms up.
      if (round > 0) records[n]?.turns.push(turn)
    }
  }
  return records
}
