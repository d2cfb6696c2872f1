import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { z } from 'zod'

import type { Closers } from '../../../../src/lib/async/closers.ts'
import { openSwapFace, type SwapFace, type SwapFaceOptions } from '../../src/swapface.ts'
import { createPlainEngine, type PlainEngine } from './plain-engine.ts'
import { openScriptedHost, type ScriptedHost } from '../../../../test/support/scripted-host.ts'
import { until } from '../../../../test/support/until.ts'

/** The first bytes of a JPEG file: enough unless the real engine reads it. */
export const JPEG_START = Buffer.from('ffd8ffe000104a464946', 'hex')

export const API_KEY = 'stage-key'

const submitted = z.object({ status: z.literal('SUCCESS'), data: z.object({ jobId: z.string() }) })
const fetched = z.object({
  status: z.enum(['ON_QUEUE', 'SUCCESS', 'FAILED']),
  message: z.string().nullable(),
  jobId: z.string(),
  data: z.object({ discordImage: z.string(), cdnImage: z.string() }).loose().nullable(),
})
export type Fetched = z.infer<typeof fetched>

export interface Stage {
  /** The embedded upstream that is running now. */
  readonly face: SwapFace
  readonly engine: PlainEngine
  /** Serves JPEG_START at every path. */
  readonly images: ScriptedHost
  readonly dataDir: string
  /** Closes the upstream and reopens it on the same data. */
  reopen(options?: Partial<SwapFaceOptions>): Promise<void>
  /** Posts JSON with the right key. */
  post(path: string, body: unknown): Promise<Response>
  /** Submits a swap, by default of two existing images; resolves to its job id. */
  submit(input?: { targetImage?: string; swapImage?: string; hookUrl?: string }): Promise<string>
  fetchJob(jobId: string): Promise<Fetched>
  fetchDone(jobId: string): Promise<Fetched>
}

/** Opens the embedded upstream with a plain engine and an image host; `closers` closes both. */
export async function openStage(closers: Closers, options: Partial<SwapFaceOptions> = {}): Promise<Stage> {
  const dataDir = await mkdtemp(join(tmpdir(), 'swapface-'))
  closers.add(() => rm(dataDir, { recursive: true }))
  const images = await openScriptedHost((_request, response) => response.end(JPEG_START))
  closers.add(() => images.close())
  let engine = createPlainEngine()
  let last = options

  const open = (changes: Partial<SwapFaceOptions>) => {
    last = { ...last, ...changes }
    const allowedPrivateHosts = [images.host, ...(last.allowedPrivateHosts ?? [])]
    return openSwapFace({ host: '127.0.0.1', port: 0, apiKey: API_KEY, dataDir, engine, ...last, allowedPrivateHosts })
  }
  let face = await open({})
  closers.add(() => face.close())

  const post = (path: string, body: unknown) =>
    fetch(face.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'TT-API-KEY': API_KEY },
      body: JSON.stringify(body),
    })
  const fetchJob = async (jobId: string) => fetched.parse(await (await post('/insightFace/v1/fetch', { jobId })).json())

  return {
    get face() {
      return face
    },
    get engine() {
      return engine
    },
    images,
    dataDir,
    reopen: async (changes = {}) => {
      await face.close()
      engine = createPlainEngine()
      face = await open(changes)
    },
    post,
    submit: async (input = {}) => {
      const swap = { targetImage: `${images.url}/target.jpg`, swapImage: `${images.url}/face.jpg`, ...input }
      return submitted.parse(await (await post('/insightFace/v1/swap', swap)).json()).data.jobId
    },
    fetchJob,
    fetchDone: (jobId) =>
      until(
        async () => {
          const document = await fetchJob(jobId)
          return document.status === 'ON_QUEUE' ? null : document
        },
        { timeoutMs: 30_000 },
      ),
  }
}
