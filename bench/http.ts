/**
 * Measures the cost of a request over HTTP, compared with a lower limit and with other servers:
 * `npx tsx bench/http.ts [scenario …]` prints one Markdown table. Each server is a separate process. The load and the
 * upstream share the machine with them, so compare CPU and ratios. Variables, with their defaults:
 *
 * - `BENCH_SECONDS` (3): length of one turn of a contender.
 * - `BENCH_ROUNDS` (3): turns of each contender.
 * - `BENCH_JOBS` (200): queried unfinished jobs.
 * - `BENCH_STORED` (0): further finished jobs in the gateway's database.
 */
import { openContest, STORED } from './http/contenders.ts'
import { COLUMNS, measure } from './http/measure.ts'
import { ROUNDS, measureInRounds } from './http/rounds.ts'
import { type Scenario, scenarios } from './http/scenarios.ts'
import { type Section, toSection, toTables } from './http/table.ts'

const NOTE = `Medians of ${ROUNDS} rounds, with the lowest and the highest in brackets. CPU is the kernel's figure for the server's process, all
threads. Limits and peers have no authentication, rate limits or logs. A limit sends the gateway's headers. Peers send fewer
headers and read jobs from memory. To create a swap, peers write a new job to disk twice, as \`bare-proxy-write\` does. The gateway
fetches a job at most once per second.`

const chosen = process.argv.slice(2)
const unknown = chosen.filter((name) => !(name in scenarios))
if (unknown.length > 0) throw new Error(`${unknown.join(', ')}: there are ${Object.keys(scenarios).join(', ')}`)

const sections: Section[] = []
for (const [name, scenario] of Object.entries(scenarios)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue
  const section = await run(name, scenario)
  process.stderr.write(`${section.rows.join('\n')}\n`)
  sections.push(section)
}
console.log(`${toTables(sections)}\n\n${NOTE}`)
process.exit(0)

async function run(name: string, scenario: Scenario): Promise<Section> {
  const { contenders, load, close } = await openContest(scenario)
  try {
    const label = STORED > 0 ? `${name}, ${STORED.toLocaleString('en')} stored` : name
    return toSection(label, COLUMNS, await measureInRounds(contenders, async (contender) => measure(contender, load)))
  } finally {
    await close()
  }
}
