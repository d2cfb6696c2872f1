/** The measured gateway with jobs: the built program, in separate processes, in front of a scripted upstream. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { findFreePort } from '../../test/faults/gateway-process.ts'
import { type FakeUpstream, FAKE_KEY, openFakeUpstream } from '../../test/support/fake-upstream.ts'
import { until } from '../../test/support/until.ts'
import { type BenchJob, createJobMaker } from './job-maker.ts'
import { type MeasuredProcess, startProcess } from './process.ts'

export interface BenchGateway {
  /** The first process, and its address. */
  readonly process: MeasuredProcess
  readonly url: string
  readonly processes: readonly MeasuredProcess[]
  readonly urls: readonly string[]
  readonly databaseUrl: string
  readonly upstream: FakeUpstream
  /** The environment of the first process. */
  readonly environment: Readonly<Record<string, string>>
  /** Creates jobs that stay unfinished upstream until `finish`. */
  createJobs(count: number, input?: object): Promise<BenchJob[]>
  /** Finishes a job upstream and sends its hook; resolves when the gateway has responded. */
  finish(job: BenchJob): Promise<void>
  restart(): Promise<MeasuredProcess>
  close(): Promise<void>
}

export interface BenchGatewayOptions {
  /** Database to use in place of an embedded one. */
  readonly databaseUrl?: string
  /** Number of processes that share the database; hooks go to the first. */
  readonly processes?: number
  /** The last process's own URL of the database. */
  readonly databaseUrlOfLast?: string
  readonly settings?: Readonly<Record<string, string>>
}

export async function openBenchGateway(options: BenchGatewayOptions = {}): Promise<BenchGateway> {
  const upstream = await openFakeUpstream()
  const folder = await mkdtemp(join(tmpdir(), 'swapface-bench-'))
  const databaseUrl = options.databaseUrl ?? `file:${folder}/gateway.db`
  const processCount = options.processes ?? 1
  const hookPort = await findFreePort()
  const environmentOf = (n: number, port: number): Readonly<Record<string, string>> => ({
    PORT: String(port),
    ADMIN_PORT: '0',
    PUBLIC_URL: `http://127.0.0.1:${hookPort}`,
    DATA_DIR: join(folder, String(n)),
    DATABASE_URL: n > 0 && n === processCount - 1 ? (options.databaseUrlOfLast ?? databaseUrl) : databaseUrl,
    GATEWAY_SECRET: 'the shared secret of all processes',
    TTAPI_KEY: FAKE_KEY,
    TTAPI_URL: upstream.url,
    ALLOWED_PRIVATE_HOSTS: `127.0.0.1:${upstream.port}`,
    GRAPHIQL: 'off',
    TENANT_REQUESTS_PER_MINUTE: '100000000',
    LOG_LEVEL: 'silent',
    MAX_IN_FLIGHT: '100000',
    FETCH_PER_SECOND: '100000',
    ...options.settings,
  })
  const start = async (n: number, port: number) => startProcess('dist/main.js', environmentOf(n, port))
  const ports = [hookPort]
  while (ports.length < processCount) ports.push(await findFreePort())
  const running: MeasuredProcess[] = []
  for (const [n, port] of ports.entries()) running.push(await start(n, port))
  // Processes print the shared address, so their own addresses are built from the ports.
  const urls = ports.map((port) => `http://127.0.0.1:${port}`)

  const first = () => {
    const [one] = running
    if (!one) throw new TypeError('there is one at least')
    return one
  }

  return {
    get process() {
      return first()
    },
    url: first().url,
    processes: running,
    urls,
    databaseUrl,
    upstream,
    environment: environmentOf(0, hookPort),
    createJobs: createJobMaker(urls, upstream),
    finish: async ({ accepted }) => {
      accepted.state = { status: 'SUCCESS' }
      await upstream.sendHook(accepted)
    },
    restart: async () => {
      await first().stop()
      running[0] = await start(0, hookPort)
      return first()
    },
    close: async () => {
      await Promise.all(running.filter((one) => one.isAlive()).map(async (one) => one.stop('SIGKILL')))
      await upstream.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/**
 * Waits until the jobs are between two scheduled polls: a job is fetched at most once per second, and a hook right
 * after a poll would wait.
 */
export async function betweenPolls(jobs: readonly BenchJob[]): Promise<void> {
  await until(() => jobs.every(({ accepted }) => accepted.fetches >= 3), { timeoutMs: 30_000 })
  await delay(1_100)
}
