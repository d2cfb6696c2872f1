/**
 * Measures the effect of one tenant on another: `npm run bench -- noisy-neighbour` prints two Markdown tables for each
 * database. The database has `BENCH_STORED` (1,000,000) jobs. The quiet tenant queries, creates swaps and uploads, one
 * after the other. The noisy tenant sends one of its loads, `BENCH_AT_ONCE` (8) requests at a time and
 * `BENCH_PER_MINUTE` (600, the default limit of a tenant; 0: no limit). All other limits have their defaults, too. Three
 * phases alternate, `BENCH_ROUNDS` (5) times with `BENCH_SAMPLES` (100) of each operation:
 *
 * - alone: the quiet tenant only;
 * - beside: with the noisy tenant;
 * - control: with a program unrelated to the gateway that uses as much CPU as the load did.
 *
 * Gateway, quiet tenant, noisy tenant and control are separate processes; the upstream is in this one. The noisy tenant
 * runs at the lowest priority. `BENCH_LOADS` selects loads, separated by semicolons. `BENCH_DATABASES` is `embedded`,
 * `postgres` or both, separated by a comma.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { createDatabase, startPostgres } from '../test/support/postgres.ts'
import { withRawDatabase } from '../test/support/raw-database.ts'
import { type Child, startChild } from './neighbours/child.ts'
import { LOADS } from './neighbours/loads.ts'
import { prepare } from './neighbours/prepare.ts'
import type { NoisyFigures, Samples } from './neighbours/operations.ts'
import { API_KEYS } from './neighbours/tenants.ts'
import { addRound, createResult, type Phase, printTables, type Result } from './neighbours/tables.ts'
import { type BenchGateway, openBenchGateway } from './realtime/gateway.ts'
import { cpuMsOfFamily, findParent } from './realtime/process.ts'

const STORED = Number(process.env['BENCH_STORED'] ?? 1_000_000)
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5)
const SAMPLES = Number(process.env['BENCH_SAMPLES'] ?? 100)
const AT_ONCE = process.env['BENCH_AT_ONCE'] ?? '8'
const PER_MINUTE = process.env['BENCH_PER_MINUTE'] ?? '600'
const CHOSEN = process.env['BENCH_LOADS']?.split(';') ?? LOADS
const DATABASES = (process.env['BENCH_DATABASES'] ?? 'embedded,postgres').split(',')
const WARM_UP = 100
const SETTLE_MS = 1_500

/** Environment of a phase. */
interface Stage {
  readonly gateway: BenchGateway
  readonly quiet: Child
  readonly noisy: Child
  readonly burner: Child
  /** Milliseconds of CPU of the database server. */
  readonly databaseCpuMs: () => number
}

for (const database of DATABASES) await measureOn(database)

async function measureOn(database: string): Promise<void> {
  const isPostgres = database === 'postgres'
  const server = isPostgres ? await startPostgres() : null
  if (server) process.env['TEST_DATABASE_URL'] = server.url
  const own = isPostgres ? await createDatabase() : null
  const gateway = await openBenchGateway({
    // The quiet tenant is measured as often as possible, so the limit on requests is kept by the noisy client itself.
    settings: { API_KEYS, MAX_IN_FLIGHT: '10', FETCH_PER_SECOND: '20' },
    ...(own && { databaseUrl: own.url }),
  })
  const children: Child[] = []
  const start = (file: string, ...args: string[]) => {
    const child = startChild(file, args)
    children.push(child)
    return child
  }
  try {
    await prepare(gateway, STORED)
    const stage: Stage = {
      gateway,
      quiet: start('quiet-client.ts', gateway.url, String(STORED)),
      noisy: start('noisy-client.ts', gateway.url, AT_ONCE, PER_MINUTE),
      burner: start('burner.ts'),
      databaseCpuMs: isPostgres ? await watchServer(gateway) : () => 0,
    }
    await stage.quiet.ask({ count: WARM_UP })
    const results: Result[] = []
    for (const load of CHOSEN) {
      results.push(await measureLoad(stage, load))
      process.stderr.write(`${database}: ${load}\n${printTables(results.slice(-1))}\n`)
    }
    console.log(`\n${database}, ${STORED} jobs stored, ${ROUNDS * SAMPLES} samples of each operation in each phase\n`)
    console.log(printTables(results))
  } finally {
    for (const child of children) await child.stop()
    await gateway.close()
    await own?.drop()
    await server?.stop()
  }
}

/** Returns a function that reads the CPU time of all processes of the database server. */
async function watchServer({ databaseUrl }: BenchGateway): Promise<() => number> {
  const server = await withRawDatabase(databaseUrl, async ({ query }) => {
    const [row] = await query('select pg_backend_pid() as pid')
    return findParent(Number(Reflect.get(Object(row), 'pid')))
  })
  return () => cpuMsOfFamily(server)
}

async function measureLoad(stage: Stage, load: string): Promise<Result> {
  const result = createResult(load)
  await stage.noisy.ask({ start: load })
  await stage.quiet.ask({ count: SAMPLES / 5 })
  await stage.noisy.ask({})
  for (let round = 0; round < ROUNDS; round += 1) {
    const alone = await measurePhase(stage)
    await stage.noisy.ask({ start: load })
    const beside = await measurePhase(stage, async () => stage.noisy.ask<NoisyFigures>({}))
    const cores = Math.max(0, sumCores(beside) - sumCores(alone))
    await stage.burner.ask({ cores })
    const control = await measurePhase(stage)
    await stage.burner.ask({ cores: 0 })
    addRound(result, { alone, beside, control })
  }
  return result
}

function sumCores({ cores }: Phase): number {
  return cores.gateway + cores.database + cores.upstream + cores.noisy
}

/** @param stop ends the load. */
async function measurePhase(stage: Stage, stop?: () => Promise<NoisyFigures>): Promise<Phase> {
  const { gateway, quiet, databaseCpuMs } = stage
  if (!stop) await delay(SETTLE_MS)
  await gateway.process.collect()
  await gateway.process.watchLoop()
  const from = performance.now()
  const [ownFrom, gatewayFrom, databaseFrom] = [process.cpuUsage(), gateway.process.cpuMs(), databaseCpuMs()]
  const samples = await quiet.ask<Samples>({ count: SAMPLES })
  const ms = performance.now() - from
  const own = process.cpuUsage(ownFrom)
  const gatewayMs = gateway.process.cpuMs() - gatewayFrom
  const databaseMs = databaseCpuMs() - databaseFrom
  const lag = await gateway.process.readLoop()
  const noisy = (await stop?.()) ?? { requests: 0, refused: 0, cpuMs: 0 }
  const cores = {
    gateway: gatewayMs / ms,
    database: databaseMs / ms,
    upstream: (own.user + own.system) / 1_000 / ms,
    noisy: noisy.cpuMs / ms,
  }
  return { samples, lag, cores, ms, requests: noisy.requests, refused: noisy.refused }
}
