/**
 * Measures the cost of a request over HTTP, compared with a lower limit and with other servers:
 * `npx tsx bench/http.ts [scenario …]` prints one Markdown table. `BENCH_SECONDS` is the length of a turn (3),
 * `BENCH_ROUNDS` how many each contender has (3), `BENCH_JOBS` how many unfinished jobs are asked for (200),
 * `BENCH_STORED` how many finished ones the gateway has stored besides (0). The servers are processes of their own; the
 * load and the upstream share the machine with them, so read CPU and ratios.
 */
import { openContest, STORED } from './http/contenders.ts'
import { COLUMNS, measure } from './http/measure.ts'
import { ROUNDS, measureInRounds } from './http/rounds.ts'
import { type Scenario, scenarios } from './http/scenarios.ts'
import { type Section, toSection, toTables } from './http/table.ts'

const NOTE = `Medians of ${ROUNDS} rounds, with the lowest and the highest in brackets. CPU is the kernel's figure for the server's process, all
threads. Limits and peers have no authentication, limits or logs. A limit sends the gateway's headers; peers send fewer and
answer from memory. To create a swap, peers write a new job twice, as \`bare-proxy-write\` does. The gateway fetches one job at
most once per second.`

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
