/**
 * The gateway, its limit and its peers, each with jobs to watch. The limit has no jobs: it sends the bytes that the
 * gateway sent for a job with an id of the same length.
 */
import { deepStrictEqual } from 'node:assert/strict'
import { type FakeUpstream, openFakeUpstream } from '../../test/support/fake-upstream.ts'
import { until } from '../../test/support/until.ts'
import type { ShownJob } from '../http/bench-jobs.ts'
import { ENVIRONMENT, openStage, PEERS } from '../http/stage.ts'
import { openBenchGateway } from './gateway.ts'
import { type BenchJob, createJobMaker } from './job-maker.ts'
import type { Line, OpenLine } from './lines.ts'
import type { MeasuredProcess } from './process.ts'

export interface WatchedJob {
  readonly id: string
  /** Null for the limit. */
  readonly accepted: BenchJob['accepted'] | null
}

export interface LiveContender {
  readonly name: string
  readonly server: MeasuredProcess
  createJobs(count: number): Promise<readonly WatchedJob[]>
  /** Restarts the server with these jobs, so that no garbage of creating them remains. */
  restart(jobs: readonly WatchedJob[]): Promise<unknown>
  openLine(): Promise<Line>
  /** Finishes the job upstream; resolves when the server has responded to the hook. */
  finish(job: WatchedJob): Promise<void>
  /** Returns whether the server has fetched the job in the last second; the next fetch then waits. */
  hasJustFetched(job: WatchedJob): boolean
}

export interface LiveContest {
  /** The limit first, then the gateway. */
  readonly contenders: readonly LiveContender[]
  close(): Promise<void>
}

export interface Wire {
  readonly openLine: OpenLine
  /** File below `bench/`. */
  readonly limit: string
  readonly peers: readonly (keyof typeof PEERS)[]
}

/** The last messages of a subscription to a finished job, as received. */
interface LastTexts {
  readonly jobId: string
  readonly texts: readonly string[]
  readonly result: unknown
}

const ASKED_AGAIN_AFTER_MS = 1_000

/** @throws if a contender's events differ from the gateway's. */
export async function openLiveContest(wire: Wire): Promise<LiveContest> {
  const closers: (() => Promise<unknown>)[] = []
  const close = async () => {
    await Promise.all(closers.map(async (end) => end()))
  }
  try {
    return { contenders: await assemble(wire, closers), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function assemble(wire: Wire, closers: (() => Promise<unknown>)[]): Promise<LiveContender[]> {
  const { openLine } = wire
  const gateway = await openBenchGateway({ settings: ENVIRONMENT })
  closers.push(gateway.close)
  const upstream = await openFakeUpstream()
  closers.push(upstream.close)
  const stage = await openStage({ upstreamUrl: upstream.url, hookUrl: `${upstream.url}/nowhere` })
  closers.push(stage.close)

  const ours: LiveContender = {
    name: '**gateway**',
    get server() {
      return gateway.process
    },
    createJobs: gateway.createJobs,
    restart: gateway.restart,
    openLine: async () => openLine(gateway.url),
    finish: async ({ id, accepted }) => gateway.finish({ id, accepted: known(accepted) }),
    hasJustFetched: ({ accepted }) => hasJustFetched(gateway.upstream, accepted?.id),
  }
  const expected = await tryOut(ours)

  const openLimit = async (): Promise<LiveContender> => {
    const server = await stage.start(wire.limit)
    let named = 0
    return {
      name: `limit: ${wire.limit.split('/').at(-1)}`,
      server,
      createJobs: async (count) =>
        Array.from({ length: count }, () => {
          named += 1
          return { id: `job_${String(named).padStart(expected.jobId.length - 'job_'.length, '0')}`, accepted: null }
        }),
      // The limit has no jobs.
      restart: async () => null,
      openLine: async () => openLine(server.url),
      finish: async ({ id }) => {
        const body = expected.texts.map((text) => text.replaceAll(expected.jobId, id))
        await postTo(`${server.url}/send?to=${id}`, joinAs(body))
      },
      hasJustFetched: () => false,
    }
  }
  const { join: joinAs } = expected

  const openPeer = async (name: keyof typeof PEERS): Promise<LiveContender> => {
    const file = `http/peers/${PEERS[name]}`
    let server = await stage.start(file)
    return {
      name,
      get server() {
        return server
      },
      createJobs: createJobMaker([server.url], upstream),
      restart: async (jobs) => {
        await server.stop('SIGKILL')
        server = await stage.start(file, { jobs: jobs.map(toShown) })
      },
      openLine: async () => openLine(server.url),
      finish: async ({ accepted }) => {
        const job = known(accepted)
        job.state = { status: 'SUCCESS' }
        const status = await upstream.sendHook({ ...job, hookUrl: `${server.url}/hooks` })
        if (status !== 200) throw new Error(`${name} answers a hook with ${status}`)
      },
      hasJustFetched: () => false,
    }
  }

  const limit = await openLimit()
  const contenders = [limit, ours]
  for (const name of wire.peers) contenders.push(await openPeer(name))
  for (const contender of contenders) {
    if (contender === ours) continue
    deepStrictEqual(
      (await tryOut(contender)).result,
      expected.result,
      `${contender.name} sends its subscribers other events than the gateway`,
    )
  }
  return contenders
}

/** Checks a contender: watches one job to its end. */
async function tryOut(contender: LiveContender): Promise<LastTexts & Pick<Line, 'join'>> {
  const [job] = await contender.createJobs(1)
  if (!job) throw new TypeError('a job was asked for')
  const line = await contender.openLine()
  const texts: string[] = []
  let isOver = false
  line.onEvent = (text) => texts.push(text)
  line.onEnd = (text) => {
    texts.push(text)
    isOver = true
  }
  await line.watch(job.id)
  await contender.finish(job)
  await until(() => isOver)
  line.close()
  const [last = ''] = texts
  return { jobId: job.id, texts, result: toGist(line.resultOf(last), job.id), join: line.join }
}

/** Converts to a job as a peer has just created it. */
function toShown({ id, accepted }: WatchedJob): ShownJob {
  return {
    id,
    jobId: known(accepted).id,
    status: 'ON_QUEUE',
    done: false,
    version: 2,
    createdAt: new Date().toISOString(),
    result: null,
    failure: null,
    charge: { state: 'PENDING', quota: null },
  }
}

/** Replaces the job's ids, which differ between contenders. */
function toGist(result: unknown, jobId: string): unknown {
  return JSON.parse(JSON.stringify(result).replaceAll(jobId, 'its id'))
}

function hasJustFetched({ fetched }: FakeUpstream, id: string | undefined): boolean {
  const since = Date.now() - ASKED_AGAIN_AFTER_MS
  // From the newest on, since most fetches are older than `since`.
  for (let n = fetched.length - 1; (fetched[n]?.at ?? 0) > since; n -= 1) if (fetched[n]?.id === id) return true
  return false
}

function known<T>(value: T | null): T {
  if (value === null) throw new TypeError('only the limit knows no jobs')
  return value
}

async function postTo(url: string, body: string): Promise<void> {
  const response = await fetch(url, { method: 'POST', body })
  if (!response.ok) throw new Error(`${url} answers ${response.status}`)
  await response.arrayBuffer()
}
