/** The gateway under measurement, with jobs in it: the program in a process of its own, before a scripted upstream. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePort } from '../../test/faults/gateway-process.ts'
import { type AcceptedJob, type FakeUpstream, FAKE_KEY, openFakeUpstream } from '../../test/support/fake-upstream.ts'
import { makeMany } from './clients.ts'
import { type MeasuredProcess, startProcess } from './process.ts'

export interface BenchJob {
  readonly id: string
  readonly accepted: AcceptedJob
}

export interface BenchGateway {
  readonly process: MeasuredProcess
  readonly url: string
  readonly upstream: FakeUpstream
  /** Jobs that the upstream works on until they are finished here. */
  createJobs(count: number): Promise<BenchJob[]>
  /** The upstream is done with it, and says so with its hook; resolves when that was answered. */
  finish(job: BenchJob): Promise<void>
  restart(): Promise<MeasuredProcess>
  close(): Promise<void>
}

const CREATE = `mutation ($input: CreateSwapInput!) { createSwap(input: $input) { ... on CreateSwapSuccess { job { id } } } }`

export async function openBenchGateway(): Promise<BenchGateway> {
  const upstream = await openFakeUpstream()
  const dataDir = await mkdtemp(join(tmpdir(), 'swapface-bench-'))
  const env = {
    PORT: String(await findFreePort()),
    DATA_DIR: dataDir,
    TTAPI_KEY: FAKE_KEY,
    TTAPI_URL: upstream.url,
    GRAPHIQL: 'off',
    LOG_LEVEL: 'silent',
    MAX_IN_FLIGHT: '100000',
    FETCH_PER_SECOND: '100000',
  }
  let running = await startProcess('dist/main.js', env)
  let created = 0

  const createJob = async (): Promise<BenchJob> => {
    created += 1
    const targetImage = `https://example.com/${created}.jpg`
    const input = { targetImage: { url: targetImage }, swapImage: { url: 'https://example.com/face.jpg' } }
    const response = await fetch(`${running.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: CREATE, variables: { input } }),
    })
    const { data } = (await response.json()) as {
      readonly data: { readonly createSwap: { readonly job: { readonly id: string } } }
    }
    const accepted = upstream.accepted.find((job) => job.targetImage === targetImage)
    if (!accepted) throw new Error('the upstream has not taken the job')
    return { id: data.createSwap.job.id, accepted }
  }

  return {
    get process() {
      return running
    },
    get url() {
      return running.url
    },
    upstream,
    createJobs: (count) => makeMany(count, createJob),
    finish: async ({ accepted }) => {
      accepted.state = { status: 'SUCCESS' }
      await upstream.sendHook(accepted)
    },
    restart: async () => {
      await running.stop()
      running = await startProcess('dist/main.js', env)
      return running
    },
    close: async () => {
      if (running.isAlive()) await running.stop('SIGKILL')
      await upstream.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
