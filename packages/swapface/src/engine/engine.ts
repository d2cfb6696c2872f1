/**
 * Owns the worker thread that swaps faces, so that the caller's event loop stays free. Jobs run one at a time, first
 * in, first out: inference is single-threaded, and memory is budgeted for one job. The first job starts the worker. The
 * worker keeps the process alive only while it works, and is replaced when it dies or when a job exceeds its time
 * limit. The caller limits the number of waiting jobs.
 */
import { Worker } from 'node:worker_threads'

import { MAX_IMAGE_PIXELS } from '../../../../src/lib/image/image-limits.ts'
import { SwapRefusal, type SwapEngine } from '../engine-contract.ts'
import type { EncodedImage } from './encode.ts'
import type { TargetFaces } from './swapper.ts'
import type { WorkerResponse, WorkerOptions, WorkerRequest } from './worker.ts'

export { SwapRefusal, type SwapEngine, type SwapRefusalCode } from '../engine-contract.ts'

export interface SwapEngineOptions {
  /** Counts from passing the job to the worker, including the worker's start. Default 60 000. */
  readonly jobTimeLimitMs?: number
  /** Per picture, checked before decoding. Default MAX_IMAGE_PIXELS. */
  readonly maxPixels?: number
  /** Which of the target's faces are replaced. Default 'largest'. */
  readonly faces?: TargetFaces
  /** Folder of the operator's InsightFace models, used instead of the built-in ones. Default: none. */
  readonly modelsDir?: string | null
}

export interface EmbeddedSwapEngine extends SwapEngine {
  /**
   * Resolves when the operator's models are loaded; at once for the built-in ones.
   * @throws {SwapRefusal} ENGINE_FAILED; the message says what is wrong and what to do.
   */
  ready(): Promise<void>
}

interface Job {
  /** Null only checks whether the models load. */
  readonly pictures: { readonly target: Uint8Array; readonly donor: Uint8Array } | null
  readonly resolve: (image: EncodedImage | null) => void
  readonly reject: (refusal: SwapRefusal) => void
}

/** Opens the engine. The first job starts the worker thread. */
export function openSwapEngine(options: SwapEngineOptions = {}): EmbeddedSwapEngine {
  return new WorkerSwapEngine(options)
}

class WorkerSwapEngine implements EmbeddedSwapEngine {
  readonly #jobTimeLimitMs: number
  readonly #workerOptions: WorkerOptions
  readonly #waiting: Job[] = []
  #running: { readonly job: Job; readonly timer: NodeJS.Timeout } | null = null
  #worker: Worker | null = null
  /** Settles when all terminated workers have exited. */
  #stopped: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(options: SwapEngineOptions) {
    const { jobTimeLimitMs = 60_000, maxPixels = MAX_IMAGE_PIXELS, faces = 'largest', modelsDir = null } = options
    this.#jobTimeLimitMs = jobTimeLimitMs
    this.#workerOptions = { maxPixels, faces, modelsDir }
  }

  async ready(): Promise<void> {
    if (this.#workerOptions.modelsDir !== null) await this.#addJob(null)
  }

  async swap(target: Uint8Array, donor: Uint8Array): Promise<EncodedImage> {
    const image = await this.#addJob({ target, donor })
    if (image === null) throw new TypeError('The worker returned no image for a request with pictures.')
    return image
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const open = this.#worker
    this.#worker = null
    for (const job of this.#waiting.splice(0))
      job.reject(new SwapRefusal('ENGINE_FAILED', 'The face-swap engine is closed.'))
    this.#settle({ refusal: { code: 'ENGINE_FAILED', message: 'The face-swap engine was closed during this swap.' } })
    await Promise.all([this.#stopped, open?.terminate()])
  }

  #addJob(pictures: Job['pictures']): Promise<EncodedImage | null> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(new SwapRefusal('ENGINE_FAILED', 'The face-swap engine is closed.'))
      this.#waiting.push({ pictures, resolve, reject })
      this.#startNext()
    })
  }

  #startNext(): void {
    const job = this.#running === null ? this.#waiting.shift() : undefined
    if (job === undefined) return
    this.#worker ??= this.#startWorker()
    this.#worker.ref()
    this.#running = { job, timer: setTimeout(() => this.#stopLateJob(), this.#jobTimeLimitMs) }
    const request = job.pictures === null ? null : toRequest(job.pictures)
    this.#worker.postMessage(request, request === null ? [] : [request.target.buffer, request.donor.buffer])
  }

  #startWorker(): Worker {
    const started = new Worker(findEntry(), {
      workerData: this.#workerOptions,
      // The process's loaders and inspector must not run in the thread.
      execArgv: [],
      // Discards the output of the libraries.
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: 512 },
    })
    started.stdout.resume()
    started.stderr.resume()
    started.on('message', (response: WorkerResponse) => {
      if (this.#worker !== started) return
      started.unref()
      this.#settle(response)
    })
    started.on('error', (error) => this.#replaceWorker(started, error))
    started.on('exit', () => this.#replaceWorker(started, null))
    return started
  }

  #replaceWorker(dead: Worker, cause: unknown): void {
    if (this.#worker !== dead) return
    this.#worker = null
    const message = 'The face-swap engine stopped during this swap.'
    this.#settle({ refusal: { code: 'ENGINE_FAILED', message, cause } })
  }

  #stopLateJob(): void {
    const late = this.#worker
    this.#worker = null
    if (late !== null) this.#stopped = Promise.all([this.#stopped, late.terminate()])
    const seconds = Number((this.#jobTimeLimitMs / 1000).toFixed(3))
    this.#settle({ refusal: { code: 'TIMED_OUT', message: `The swap took longer than ${seconds} s and was stopped.` } })
  }

  /** Settles the running job, if any, and starts the next. */
  #settle(response: WorkerResponse): void {
    if (this.#running === null) return
    const { job, timer } = this.#running
    clearTimeout(timer)
    this.#running = null
    if ('result' in response) job.resolve(response.result)
    else job.reject(toRefusal(response.refusal))
    this.#startNext()
  }
}

/** Copies the bytes: they are transferred, the caller keeps its own, and a view would transfer its whole buffer. */
function toRequest({ target, donor }: NonNullable<Job['pictures']>): WorkerRequest {
  return { target: new Uint8Array(target), donor: new Uint8Array(donor) }
}

/** From source, the thread must register its own TypeScript loader: Node 20 does not pass one on to threads. */
function findEntry(): URL {
  if (import.meta.url.endsWith('.js')) return new URL('./worker.js', import.meta.url)
  const loader = import.meta.resolve('tsx/esm/api')
  const entry = new URL('./worker.ts', import.meta.url).href
  const script = `import { register } from '${loader}'; register(); await import('${entry}')`
  return new URL(`data:text/javascript,${encodeURIComponent(script)}`)
}

function toRefusal({ code, message, cause }: Extract<WorkerResponse, { refusal: unknown }>['refusal']): SwapRefusal {
  const refusal = new SwapRefusal(code, message)
  refusal.cause = cause
  return refusal
}
