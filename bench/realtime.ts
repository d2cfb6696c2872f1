/**
 * Measures the cost of subscriptions, hooks and the start-up, compared with a lower limit and with other servers:
 * `npx tsx bench/realtime.ts [scenario …]` prints Markdown tables. Each server is a separate process. Clients, upstream
 * and this script share the machine with them, so compare CPU and ratios. Ten thousand sockets need `ulimit -n` of at
 * least 12,000. Variables, with their defaults:
 *
 * - `BENCH_ROUNDS` (3): turns of each contender.
 * - `BENCH_SECONDS` (5): length of a turn of `own-job-10k`.
 * - `BENCH_HOOKS` (1,000): hooks in a turn of `hooks`.
 * - `BENCH_STORED` (100,000): jobs in the database for `start-up`.
 * - `BENCH_WATCHERS`: number of subscribers, instead of the number in the scenario's name.
 */
import { ROUNDS } from './http/rounds.ts'
import { type Section, toTables } from './http/table.ts'
import { scenarios } from './realtime/scenarios.ts'

const NOTE = `Medians of ${ROUNDS} rounds, with the lowest and the highest in brackets; \`start-up\` has 5. CPU is the
kernel's figure for the server's process, all threads, including the handling of hooks. Limits and peers have no
authentication, rate limits or logs. Peers store jobs in memory only, and fetch once per hook. The limit of a subscription
scenario sends prepared bytes, the same that the gateway sends. The gateway also polls watched jobs (at most 200 per second); a
hook within a second of such a poll waits for the end of that second.`

const chosen = process.argv.slice(2)
const unknown = chosen.filter((name) => !(name in scenarios))
if (unknown.length > 0) throw new Error(`${unknown.join(', ')}: there are ${Object.keys(scenarios).join(', ')}`)

const sections: Section[] = []
for (const [name, run] of Object.entries(scenarios)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue
  const section = await run(name)
  process.stderr.write(`${section.rows.join('\n')}\n`)
  sections.push(section)
}
console.log(`${toTables(sections)}\n\n${NOTE}`)
process.exit(sections.some(({ isBroken = false }) => isBroken) ? 1 : 0)
