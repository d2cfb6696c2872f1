/**
 * Owns the one worker thread that swaps faces, so that the event loop of the door that calls it stays free. Jobs run one
 * at a time, in the order in which they came: inference is single-threaded and memory is counted for one job. The worker
 * is started by the first job, holds the process open only while it works, and is replaced when it dies or when a job
 * outlasts its time limit. How many jobs may wait is the caller's business.
 */
import { Worker } from 'node:worker_threads'

import { MAX_IMAGE_PIXELS } from '../../../../src/lib/image/image-limits.ts'
import { SwapRefusal, type SwapEngine } from '../engine-contract.ts'
import type { EncodedImage } from './encode.ts'
import type { TargetFaces } from './swapper.ts'
import type { WorkerAnswer, WorkerOptions, WorkerOrder } from './worker.ts'

export { SwapRefusal, type SwapEngine, type SwapRefusalCode } from '../engine-contract.ts'

export interface SwapEngineOptions {
  /** From the moment the worker is given the job, its own start included. Default 60 000. */
  readonly jobTimeLimitMs?: number
  /** Of either picture, before it is decoded. Default MAX_IMAGE_PIXELS. */
  readonly maxPixels?: number
  /** Which of the target's faces are replaced. Default 'largest'. */
  readonly faces?: TargetFaces
  /** Folder with the operator's own InsightFace models, used instead of the built-in ones. Default: none. */
  readonly modelsDir?: string | null
}

export interface EmbeddedSwapEngine extends SwapEngine {
  /**
   * Resolves once swaps can be done with the operator's own models; at once where the built-in ones are used.
   * @throws {SwapRefusal} ENGINE_FAILED, with what is missing and what to do about it.
   */
  ready(): Promise<void>
}

interface Job {
  /** Null asks only whether swaps can be done. */
  readonly pictures: { readonly target: Uint8Array; readonly donor: Uint8Array } | null
  readonly resolve: (image: EncodedImage | null) => void
  readonly reject: (refusal: SwapRefusal) => void
}

export function openSwapEngine(options: SwapEngineOptions = {}): EmbeddedSwapEngine {
  const { jobTimeLimitMs = 60_000, maxPixels = MAX_IMAGE_PIXELS, faces = 'largest', modelsDir = null } = options
  const waiting: Job[] = []
  let running: { readonly job: Job; readonly timer: NodeJS.Timeout } | null = null
  let worker: Worker | null = null
  let stopped: Promise<unknown> = Promise.resolve()
  let closed = false

  function startNext(): void {
    const job = running === null ? waiting.shift() : undefined
    if (job === undefined) return
    worker ??= startWorker()
    worker.ref()
    running = { job, timer: setTimeout(stopLateJob, jobTimeLimitMs) }
    const order = job.pictures === null ? null : toOrder(job.pictures)
    worker.postMessage(order, order === null ? [] : [order.target.buffer, order.donor.buffer])
  }

  function startWorker(): Worker {
    const started = new Worker(findEntry(), {
      workerData: { maxPixels, faces, modelsDir } satisfies WorkerOptions,
      // A loader or an inspector of the process is not the thread's business.
      execArgv: [],
      // What the libraries print is not the process's to say.
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: 512 },
    })
    started.stdout.resume()
    started.stderr.resume()
    started.on('message', (answer: WorkerAnswer) => {
      if (worker !== started) return
      started.unref()
      settle(answer)
    })
    started.on('error', (error) => replaceWorker(started, error))
    started.on('exit', () => replaceWorker(started, null))
    return started
  }

  function replaceWorker(dead: Worker, cause: unknown): void {
    if (worker !== dead) return
    worker = null
    settle({ refusal: { code: 'ENGINE_FAILED', message: 'The face-swap engine stopped during this swap.', cause } })
  }

  function stopLateJob(): void {
    const late = worker
    worker = null
    if (late !== null) stopped = Promise.all([stopped, late.terminate()])
    const seconds = Number((jobTimeLimitMs / 1000).toFixed(3))
    settle({ refusal: { code: 'TIMED_OUT', message: `The swap took longer than ${seconds} s and was stopped.` } })
  }

  function settle(answer: WorkerAnswer): void {
    if (running === null) return
    const { job, timer } = running
    clearTimeout(timer)
    running = null
    if ('result' in answer) job.resolve(answer.result)
    else job.reject(toRefusal(answer.refusal))
    startNext()
  }

  function addJob(pictures: Job['pictures']): Promise<EncodedImage | null> {
    return new Promise((resolve, reject) => {
      if (closed) return reject(new SwapRefusal('ENGINE_FAILED', 'The face-swap engine is closed.'))
      waiting.push({ pictures, resolve, reject })
      startNext()
    })
  }

  return {
    ready: async () => {
      if (modelsDir !== null) await addJob(null)
    },
    swap: async (target, donor) => {
      const image = await addJob({ target, donor })
      if (image === null) throw new TypeError('An order with pictures is answered with one.')
      return image
    },
    close: async () => {
      closed = true
      const open = worker
      worker = null
      for (const job of waiting.splice(0))
        job.reject(new SwapRefusal('ENGINE_FAILED', 'The face-swap engine is closed.'))
      settle({ refusal: { code: 'ENGINE_FAILED', message: 'The face-swap engine was closed during this swap.' } })
      await Promise.all([stopped, open?.terminate()])
    },
  }
}

/** Copies: the caller keeps its bytes, and a view would drag the whole buffer it looks into along. */
function toOrder({ target, donor }: NonNullable<Job['pictures']>): WorkerOrder {
  return { target: new Uint8Array(target), donor: new Uint8Array(donor) }
}

/** Unbuilt, the thread has to bring its own TypeScript loader: Node 20 does not pass one on to threads. */
function findEntry(): URL {
  if (import.meta.url.endsWith('.js')) return new URL('./worker.js', import.meta.url)
  const loader = import.meta.resolve('tsx/esm/api')
  const entry = new URL('./worker.ts', import.meta.url).href
  const script = `import { register } from '${loader}'; register(); await import('${entry}')`
  return new URL(`data:text/javascript,${encodeURIComponent(script)}`)
}

function toRefusal({ code, message, cause }: Extract<WorkerAnswer, { refusal: unknown }>['refusal']): SwapRefusal {
  const refusal = new SwapRefusal(code, message)
  refusal.cause = cause
  return refusal
}
