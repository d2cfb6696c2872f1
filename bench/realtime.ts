/**
 * Measures the cost of subscriptions, compared with a lower limit and with other servers, and other figures of a whole
 * process: `npx tsx bench/realtime.ts [scenario …]` prints Markdown tables. `BENCH_ROUNDS` is how many turns each
 * contender has (3), `BENCH_SECONDS` how long one of `own-job-10k` lasts (5), `BENCH_HOOKS` how many hooks one of
 * `hooks` has (1,000), `BENCH_STORED` how many jobs `start-up` finds (100,000), `BENCH_WATCHERS` how many watch instead
 * of as many as the scenario's name says. The servers are processes of their own; clients, upstream and this run share
 * the machine with them, so read CPU and ratios. Ten thousand sockets need `ulimit -n` of 12,000 at least.
 */
import { ROUNDS } from './http/rounds.ts'
import { type Section, toTables } from './http/table.ts'
import { scenarios } from './realtime/scenarios.ts'

const NOTE = `Medians of ${ROUNDS} rounds, with the lowest and the highest in brackets; \`start-up\` has 5. CPU is the
kernel's figure for the server's process, all threads, including the handling of hooks. Limits and peers have no
authentication, limits or logs, and peers store jobs in memory only; each fetches once per hook. A limit of subscriptions is
told what to send, and sends the gateway's bytes. The gateway also polls watched jobs (at most 200 per second); a hook within a
second of such a poll waits for the end of that second.`

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
