/**
 * Runs the waiting jobs: downloads both images, swaps, stores the result,
 * finishes the row. Jobs are started in the order of their submits; a few are
 * under way at a time, so that one slow download does not hold up the rest,
 * while the engine works on one after the other. A job under way when the
 * process ends is still unfinished in the table, and is run again at the next
 * start; one that was started three times without an end is failed.
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
  /** Called after a job has finished, with its row on disk. */
  readonly onFinished: () => void
  readonly clock: Clock
  readonly log: Log
}

export interface Queue {
  /** Starts what waits and has room. Never throws: the job that it is called for is safe in the table. */
  wake(): void
  /** Leaves what is under way unfinished; waits for neither a download nor the engine. */
  close(): Promise<void>
}

export function openQueue(options: QueueOptions): Queue {
  const { table, download, engine, links, store, onFinished, clock, log } = options
  /** What is under way, each with its own signal: one for all would gather listeners for as long as the queue is open. */
  const running = new Map<AbortController, Promise<void>>()
  let isClosing = false
  let lastStarted = 0

  function wake(): void {
    if (isClosing) return
    try {
      while (running.size < MAX_RUNNING) {
        const job = table.findNext(lastStarted)
        if (job === null) return
        table.countStart(job.n)
        lastStarted = job.n
        const abort = new AbortController()
        running.set(abort, run(job, abort))
      }
    } catch (error) {
      log({ event: 'fault', during: 'queue', error })
    }
  }

  async function run(job: Job, abort: AbortController): Promise<void> {
    const startedAt = clock.now()
    const outcome = await swap(job, abort).catch(toFailure)
    running.delete(abort)
    try {
      if (isClosing) {
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
    wake()
  }

  async function swap(job: Job, abort: AbortController): Promise<Outcome> {
    if (job.starts >= MAX_STARTS)
      throw new JobFailed('ENGINE_FAILED', `The swap was started ${MAX_STARTS} times without an end.`)
    const [target, donor] = await downloadBoth(job, abort)
    const result = await orAborted(engine.swap(target, donor), abort.signal)
    const paths = links.create(result.contentType === 'image/png' ? 'png' : 'jpg', clock.now())
    await store.put(paths.file, result.image)
    return { status: 'SUCCESS', paths }
  }

  /** The first refusal ends the other download. */
  async function downloadBoth(job: Job, abort: AbortController): Promise<[target: Uint8Array, donor: Uint8Array]> {
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

  function toFailure(error: unknown): Outcome {
    const isOurFault = error instanceof SwapRefusal ? OUR_FAULTS.has(error.code) : !(error instanceof JobFailed)
    if (isOurFault && !isClosing) log({ event: 'fault', during: 'swap', error })
    if (error instanceof JobFailed || error instanceof SwapRefusal) {
      return { status: 'FAILED', message: error.message, code: error.code }
    }
    const message = 'The swap could not be done because of a fault of ours.'
    return { status: 'FAILED', message, code: 'ENGINE_FAILED' }
  }

  return {
    wake,
    close: async () => {
      isClosing = true
      for (const abort of running.keys()) abort.abort()
      await Promise.all(running.values())
    },
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

/** Settles as the work does, or rejects as soon as the signal aborts. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new Error('closing'))
    signal.addEventListener('abort', abort, { once: true })
    work.finally(() => signal.removeEventListener('abort', abort)).then(resolve, reject)
  })
}
