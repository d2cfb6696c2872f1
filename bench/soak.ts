/**
 * Keeps one gateway under a steady load and tells whether it leaks: `npm run bench -- soak`. `BENCH_MINUTES` is how long
 * (30), `BENCH_CHANGES` how many changes of jobs a second (500), `BENCH_READERS` how many clients watch (400). Of as many
 * more clients, 5 % read all changes slowly, and each second 1 % of the watching ones lose their connection.
 *
 * Prints a table and exits with 1 unless memory grows by less than 1 % in 10 minutes, handles stay flat, and the load was
 * reached. Memory is what remains after a garbage collection. The first third of the run, at most 10 minutes, does not
 * count: caches fill, and V8 sizes its heap.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { findFreePort } from '../test/faults/gateway-process.ts'
import { until } from '../test/support/until.ts'
import { toRow, toTables } from './http/table.ts'
import { openBenchGateway } from './realtime/gateway.ts'
import { judge, toSampleRow, SAMPLE_TITLES } from './soak/judge.ts'
import { startSoakLoad } from './soak/load.ts'
import { type Sample, takeSample } from './soak/scrape.ts'

const MINUTES = Number(process.env['BENCH_MINUTES'] ?? 30)
const CHANGES_PER_SECOND = Number(process.env['BENCH_CHANGES'] ?? 500)
const READERS = Number(process.env['BENCH_READERS'] ?? 400)
const SAMPLE_EVERY_MS = 10_000
/** Printed rows, of all samples. */
const ROWS = 36
/** After all clients have left, the gateway may take this long to notice. */
const IDLE_WITHIN_MS = 60_000

const adminPort = await findFreePort()
const gateway = await openBenchGateway({ settings: { ADMIN_PORT: String(adminPort) } })
let isHeld = false
try {
  const before = await takeSample(gateway, adminPort, 0)
  const load = await startSoakLoad(gateway, { changesPerSecond: CHANGES_PER_SECOND, readers: READERS })
  const samples: Sample[] = []
  const from = performance.now()
  while (performance.now() - from < MINUTES * 60_000) {
    await delay(SAMPLE_EVERY_MS)
    const sample = await takeSample(gateway, adminPort, (performance.now() - from) / 1_000)
    process.stderr.write(`${toSampleRow(sample, samples.at(-1) ?? before)}\n`)
    samples.push(sample)
  }
  await load.stop()
  const hasNoSocket = async () => (await takeSample(gateway, adminPort, 0)).sockets <= before.sockets
  await until(hasNoSocket, { timeoutMs: IDLE_WITHIN_MS, everyMs: 1_000 }).catch(() => false)
  const after = await takeSample(gateway, adminPort, 0)

  const step = Math.ceil(samples.length / ROWS)
  const rows = samples.flatMap((sample, n) =>
    n % step === step - 1 ? [toSampleRow(sample, samples[n - step] ?? before)] : [],
  )
  const verdicts = judge({ before, after, samples, changesPerSecond: CHANGES_PER_SECOND })
  const { ended, resets, late, failed } = load.counts
  const findings = verdicts.map(({ what, measured, target, holds }) =>
    toRow([what, measured, target, holds ? 'yes' : '**no**']),
  )
  console.log(
    toTables([
      { titles: SAMPLE_TITLES, rows },
      { titles: ['what', 'measured', 'target', 'held'], rows: findings },
    ]),
  )
  const cores = (ms: number) => (ms / (performance.now() - from)).toFixed(2)
  const { user, system } = process.cpuUsage()
  console.log(
    `\nCores in use: gateway ${cores(gateway.process.cpuMs())}, clients and upstream ${cores((user + system) / 1_000)}.`,
  )
  console.log(`${ended} swaps ended, ${failed} failed, ${late} found no free reader; ${resets} connections were reset.`)
  isHeld = failed === 0 && verdicts.every(({ holds }) => holds)
} finally {
  await gateway.close()
}
process.exit(isHeld ? 0 : 1)
