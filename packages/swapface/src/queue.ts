/**
 * Runs the waiting jobs: downloads both images, swaps, stores the result, finishes the row. Jobs start in the order of
 * their submits. Up to four run at a time, so that a slow download does not delay the rest; the engine swaps one at a
 * time. A job that is running when the process ends stays unfinished in the table and runs again at the next start.
 * After three starts without an end, a job fails.
 */
import type { Clock } from '../../../src/lib/time/clock.ts'
import { ImageRefused, type Download } from './download.ts'
import { SwapRefusal, type SwapEngine, type SwapRefusalCode } from './engine-contract.ts'
import type { Job, JobTable, Outcome } from './job-table.ts'
import type { Log } from './log.ts'
import type { ResultLinks } from './result-links.ts'
import type { ResultStore } from './result-store.ts'

const MAX_RUNNING = 4
const MAX_STARTS = 3
const OUR_FAULTS: ReadonlySet<SwapRefusalCode> = new Set(['TIMED_OUT', 'ENGINE_FAILED'])

export interface QueueOptions {
  readonly table: JobTable
  readonly download: Download
  readonly engine: SwapEngine
  readonly links: ResultLinks
  readonly store: ResultStore
  /** Called after a finished job's row is on disk. */
  readonly onFinished: () => void
  readonly clock: Clock
  readonly log: Log
}

export function openQueue(options: QueueOptions): Queue {
  return new Queue(options)
}

export class Queue {
  readonly #options: QueueOptions
  /** Jobs in progress. Each has its own signal: a shared one would accumulate listeners. */
  readonly #running = new Map<AbortController, Promise<void>>()
  #isClosing = false
  #lastStarted = 0

  constructor(options: QueueOptions) {
    this.#options = options
  }

  /** Starts waiting jobs up to the limit. Never throws: the jobs are safe in the table. */
  wake(): void {
    if (this.#isClosing) return
    const { table, log } = this.#options
    try {
      while (this.#running.size < MAX_RUNNING) {
        const job = table.findNext(this.#lastStarted)
        if (job === null) return
        table.countStart(job.n)
        this.#lastStarted = job.n
        const abort = new AbortController()
        this.#running.set(abort, this.#run(job, abort))
      }
    } catch (error) {
      log({ event: 'fault', during: 'queue', error })
    }
  }

  /** Aborts jobs in progress and leaves them unfinished. Waits neither for a download nor for the engine. */
  async close(): Promise<void> {
    this.#isClosing = true
    for (const abort of this.#running.keys()) abort.abort()
    await Promise.all(this.#running.values())
  }

  async #run(job: Job, abort: AbortController): Promise<void> {
    const { table, clock, log, onFinished } = this.#options
    const startedAt = clock.now()
    const outcome = await this.#swap(job, abort).catch((error: unknown) => this.#toFailure(error))
    this.#running.delete(abort)
    try {
      if (this.#isClosing) {
        table.uncountStart(job.n)
        return
      }
      table.finish(job.n, outcome, clock.now())
      const { status } = outcome
      const failure = outcome.status === 'FAILED' ? outcome.code : null
      log({ event: 'job-finished', jobId: job.jobId, status, failure, tookMs: clock.now() - startedAt })
      onFinished()
    } catch (error) {
      log({ event: 'fault', during: 'queue', error })
    }
    this.wake()
  }

  async #swap(job: Job, abort: AbortController): Promise<Outcome> {
    const { engine, links, store, clock } = this.#options
    if (job.starts >= MAX_STARTS)
      throw new JobFailed(
        'ENGINE_FAILED',
        `The swap was started ${MAX_STARTS} times, and the process crashed each time.`,
      )
    const [target, donor] = await this.#downloadBoth(job, abort)
    const result = await orAborted(engine.swap(target, donor), abort.signal)
    const paths = links.create(result.contentType === 'image/png' ? 'png' : 'jpg', clock.now())
    await store.put(paths.file, result.image)
    return { status: 'SUCCESS', paths }
  }

  /** A failed download aborts the other one. */
  async #downloadBoth(job: Job, abort: AbortController): Promise<[target: Uint8Array, donor: Uint8Array]> {
    const { download } = this.#options
    const get = async (which: 'target' | 'face', url: string) => {
      try {
        return await download(url, abort.signal)
      } catch (error) {
        abort.abort()
        throw error instanceof ImageRefused ? new JobFailed(error.code, `The ${which} image ${error.message}.`) : error
      }
    }
    return Promise.all([get('target', job.targetImage), get('face', job.swapImage)])
  }

  #toFailure(error: unknown): Outcome {
    const isOurFault = error instanceof SwapRefusal ? OUR_FAULTS.has(error.code) : !(error instanceof JobFailed)
    if (isOurFault && !this.#isClosing) this.#options.log({ event: 'fault', during: 'swap', error })
    if (error instanceof JobFailed || error instanceof SwapRefusal) {
      return { status: 'FAILED', message: error.message, code: error.code }
    }
    const message = 'The swap failed because of an internal error.'
    return { status: 'FAILED', message, code: 'ENGINE_FAILED' }
  }
}

/** A failed swap; the message is for the caller. */
class JobFailed extends Error {
  override readonly name = 'JobFailed'
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** Settles like `work`, or rejects as soon as the signal aborts. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new Error('closing'))
    signal.addEventListener('abort', abort, { once: true })
    work.finally(() => signal.removeEventListener('abort', abort)).then(resolve, reject)
  })
}
