/** Measures the time from the start of a process to its first response, compared with an empty Node process. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openFakeUpstream } from '../../test/support/fake-upstream.ts'
import { post, toAsk } from '../http/ask.ts'
import { STORED } from '../http/contenders.ts'
import { measureInRounds } from '../http/rounds.ts'
import { ENVIRONMENT, openStage, PEERS } from '../http/stage.ts'
import { type Column, type Section, toSection } from '../http/table.ts'
import { median } from './figures.ts'
import { type BenchGateway, openBenchGateway } from './gateway.ts'
import { cpuMsOf, cpuMsOfEndedChildren, readAddress } from './process.ts'
import { storeJobs } from './stored-jobs.ts'

const STARTS = 5
const YOGA: keyof typeof PEERS = 'Yoga (defaults)'
const MANY = STORED > 0 ? STORED : 100_000
/** A query that needs the database. */
const QUERY = '{ swapJobs(first: 1) { edges { node { id } } } }'

interface Measurement {
  readonly ms: number
  readonly cpuMs: number
}

interface Contender {
  readonly name: string
  start(): Promise<Measurement>
}

const COLUMNS: readonly Column<Measurement>[] = [
  { title: 'ms to the first response', valueOf: ({ ms }) => ms },
  { title: 'CPU ms', valueOf: ({ cpuMs }) => cpuMs },
  { title: "its CPU ms - the limit's", valueOf: ({ cpuMs }, limit) => cpuMs - limit.cpuMs },
]

export async function measureStartUp(name: string): Promise<Section> {
  const [empty, full] = [
    await openBenchGateway({ settings: ENVIRONMENT }),
    await openBenchGateway({ settings: ENVIRONMENT }),
  ]
  const upstream = await openFakeUpstream()
  const stage = await openStage({ upstreamUrl: upstream.url })
  try {
    await storeJobs(full, MANY)
    const contenders: Contender[] = [
      { name: "limit: node -e ''", start: startNothing },
      await toContender('**gateway**', empty),
      await toContender(`**gateway**, ${MANY.toLocaleString('en')} stored`, full),
    ]
    for (const [peer, file] of Object.entries(PEERS)) {
      contenders.push({ name: peer, start: async () => start(`bench/http/peers/${file}.mjs`, stage.environment) })
    }
    const measured = await measureInRounds(contenders, async (one) => one.start(), STARTS)
    const yoga = median(measured.find((one) => one.name === YOGA)?.measurements.map(({ ms }) => ms) ?? [])
    const ratio: Column<Measurement> = { title: "its ms / Yoga's", digits: 2, valueOf: ({ ms }) => ms / yoga }
    return toSection(name, [...COLUMNS, ratio], measured)
  } finally {
    await Promise.all([empty.close(), full.close(), stage.close(), upstream.close()])
  }
}

/** Stops the process that created the database; the measured ones start after it. */
async function toContender(name: string, { process: first, environment }: BenchGateway): Promise<Contender> {
  await first.stop()
  return { name, start: async () => start('dist/main.js', environment) }
}

async function start(file: string, environment: Readonly<Record<string, string>>): Promise<Measurement> {
  const from = performance.now()
  const child = run([file], environment)
  try {
    const { status, body } = await post(await readAddress(child, file), toAsk(QUERY))
    const measurement = { ms: performance.now() - from, cpuMs: cpuMsOf(child.pid) }
    if (status !== 200 || body.includes('"errors"')) throw new Error(`${file}: ${status} ${body}`)
    return measurement
  } finally {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
}

async function startNothing(): Promise<Measurement> {
  const [from, cpuMs] = [performance.now(), cpuMsOfEndedChildren()]
  await once(run(['-e', ''], {}), 'exit')
  return { ms: performance.now() - from, cpuMs: cpuMsOfEndedChildren() - cpuMs }
}

/** Starts a process without the preload that measures other processes from inside. */
function run(args: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess {
  return spawn(process.execPath, args, {
    env: { PATH: process.env['PATH'], ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}
