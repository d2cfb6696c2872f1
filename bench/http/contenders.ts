/** The gateway, its limit and its peers, in front of upstreams with the same jobs. */
import { deepStrictEqual } from 'node:assert/strict'
import type { FakeUpstream } from '../../test/support/fake-upstream.ts'
import { openBenchGateway } from '../realtime/gateway.ts'
import type { MeasuredProcess } from '../realtime/process.ts'
import { storeJobs } from '../realtime/stored-jobs.ts'
import { type Answer, type Load, post } from './ask.ts'
import { makeJobs, openTwin } from './bench-jobs.ts'
import { ENVIRONMENT, openStage, PEERS } from './stage.ts'
import type { Scenario } from './scenarios.ts'

export interface Contender {
  readonly name: string
  readonly server: MeasuredProcess
  readonly upstream: FakeUpstream
  /** The status of its responses. */
  readonly status: number
}

/** Number of finished jobs in the gateway before the scenario begins. */
export const STORED = Number(process.env['BENCH_STORED'] ?? 0)

export interface Contest {
  readonly load: Load
  /** The limit first. */
  readonly contenders: readonly [Contender, ...Contender[]]
  close(): Promise<void>
}

/** @throws if a contender's response differs from the gateway's. */
export async function openContest(scenario: Scenario): Promise<Contest> {
  const closers: (() => Promise<unknown>)[] = []
  const close = async () => {
    await Promise.all(closers.map(async (end) => end()))
  }
  try {
    return { ...(await assemble(scenario, closers)), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function assemble(scenario: Scenario, closers: (() => Promise<unknown>)[]): Promise<Omit<Contest, 'close'>> {
  const gateway = await openBenchGateway({ settings: { ...ENVIRONMENT, ...scenario.settings } })
  closers.push(gateway.close)
  if (STORED > 0) await storeJobs(gateway, STORED)
  const [first, ...rest] = await makeJobs(gateway, scenario.jobs)
  if (!first) throw new TypeError('a scenario has a job at least')
  const jobs = [first, ...rest] as const
  const twin = await openTwin(gateway.upstream)
  closers.push(twin.close)

  const load = scenario.loadOf(jobs)
  const answer = await post(gateway.url, load.first)
  const hookUrl = gateway.upstream.accepted[0]?.hookUrl
  const stage = await openStage({ jobs, answer, upstreamUrl: twin.url, hookUrl })
  closers.push(stage.close)

  const start = async (name: string, file: string): Promise<Contender> => {
    const server = await stage.start(`http/${file}`)
    return { name, server, upstream: twin, status: check(scenario, name, answer, await post(server.url, load.first)) }
  }
  const contenders: [Contender, ...Contender[]] = [
    await start(`limit: ${scenario.limit}`, `limits/${scenario.limit}`),
    {
      name: '**gateway**',
      server: gateway.process,
      upstream: gateway.upstream,
      status: check(scenario, 'gateway', answer, answer),
    },
  ]
  for (const [name, file] of scenario.hasPeers ? Object.entries(PEERS) : []) {
    contenders.push(await start(name, `peers/${file}`))
  }
  return { load, contenders }
}

/** @returns the status of its response */
function check(scenario: Scenario, name: string, expected: Answer, answer: Answer): number {
  const { status } = answer
  if (scenario.status !== 'any' && status !== scenario.status) throw new Error(`${name}: ${status} ${answer.body}`)
  deepStrictEqual(scenario.gistOf(answer), scenario.gistOf(expected), `${name} answers otherwise`)
  return status
}
