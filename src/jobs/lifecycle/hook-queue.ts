/**
 * Schedules the fetches for one job's hooks: they start one at a time, at least `spacingMs` apart. Hooks that name the
 * same id share a fetch; each id gets its own verdict. The job's own id goes first, then ids that were never fetched,
 * the newest first, then the id fetched longest ago. So forged hooks cannot starve the genuine one.
 */
import type { SwapJob } from '../../domain/swap-job.ts'
import type { Clock } from '../../lib/time/clock.ts'
import { createTtlCache, type TtlCache } from '../../lib/time/ttl-cache.ts'
import type { Confirmed } from './confirmed.ts'

/** Longer than the longest delay between two checks of one hook. */
const REMEMBERED_MS = 120_000

/** A slot that was used. `verdict` is null if nothing was fetched. */
interface StartedFetch {
  readonly verdict: Promise<Confirmed> | null
  readonly job: SwapJob
}

/** A slot whose fetch has ended. */
export interface EndedFetch {
  readonly verdict: Confirmed | null
  readonly job: SwapJob
}

export interface HookQueueParts {
  readonly spacingMs: number
  /** Resolves to true once a fetch may start, after at least `spacingMs`; to false if the gateway stops first. */
  readonly waitForSlot: (spacingMs: number) => Promise<boolean>
  readonly clock: Pick<Clock, 'now'>
  /** Starts a fetch of `upstreamId` for the job; resolves as soon as it is in progress. */
  readonly fetch: (job: SwapJob, upstreamId: string) => Promise<StartedFetch>
}

interface FetchRequest {
  readonly job: SwapJob
  readonly upstreamId: string
  readonly ended: Promise<EndedFetch>
  readonly resolve: (started: EndedFetch | Promise<EndedFetch>) => void
  readonly reject: (error: unknown) => void
}

/** The hooks of one job that wait for a slot, and those whose fetch is in progress; by the id they name. */
interface Queue {
  readonly waiting: Map<string, FetchRequest>
  readonly inProgress: Map<string, Promise<EndedFetch>>
  /** Resolves when the last queued slot has been used. */
  last: Promise<void>
  unfinished: number
}

export class HookQueue {
  readonly #parts: HookQueueParts
  readonly #queues = new Map<string, Queue>()
  /** When a fetch for a hook last started, by job and by id. */
  readonly #lastOfJob: TtlCache<number>
  readonly #lastOfId: TtlCache<number>

  constructor(parts: HookQueueParts) {
    this.#parts = parts
    const now = () => parts.clock.now()
    this.#lastOfJob = createTtlCache(parts.spacingMs, now)
    this.#lastOfId = createTtlCache(REMEMBERED_MS, now)
  }

  /** Waits for a slot to fetch `upstreamId` for the job; resolves when that fetch has ended. */
  async take(job: SwapJob, upstreamId: string): Promise<EndedFetch> {
    // A fetch in progress began before this hook, so it does not count. Its own callers handle its failure.
    await this.#queues
      .get(job.id)
      ?.inProgress.get(upstreamId)
      ?.catch(() => null)
    const queue = this.#queues.get(job.id) ?? createQueue()
    this.#queues.set(job.id, queue)
    const known = queue.waiting.get(upstreamId)
    if (known) return known.ended
    const request = createFetchRequest(job, upstreamId)
    queue.waiting.set(upstreamId, request)
    queue.unfinished += 1
    // Never rejects. A slot goes to the best hook at that moment, which may not be the one that queued it.
    queue.last = queue.last.then(async () => this.#fetchNext(job.id, queue))
    return request.ended
  }

  /** Whether another id of the job is being fetched, or waits and was never fetched. */
  hasOthers(jobId: string, upstreamId: string): boolean {
    const queue = this.#queues.get(jobId)
    if (!queue) return false
    const isNew = (id: string) => id !== upstreamId && this.#lastOfId.get(`${jobId} ${id}`) === undefined
    return [...queue.inProgress.keys()].some((id) => id !== upstreamId) || [...queue.waiting.keys()].some(isNew)
  }

  async #fetchNext(jobId: string, queue: Queue): Promise<void> {
    const { spacingMs, waitForSlot, clock, fetch } = this.#parts
    let request: FetchRequest | null = null
    try {
      const hasSlot = await waitForSlot((this.#lastOfJob.get(jobId) ?? -Infinity) + spacingMs - clock.now())
      request = this.#takeBest(jobId, queue)
      if (!request) return
      if (!hasSlot) return request.resolve({ verdict: null, job: request.job })
      // Set before `fetch` reads the job, so that `hasOthers` finds this id meanwhile.
      queue.inProgress.set(request.upstreamId, request.ended)
      const { verdict, job } = await fetch(request.job, request.upstreamId)
      if (verdict === null) {
        queue.inProgress.delete(request.upstreamId)
        request.resolve({ verdict, job })
      } else this.#follow(queue, request, job, verdict)
    } catch (error) {
      request ??= this.#takeBest(jobId, queue)
      if (request) queue.inProgress.delete(request.upstreamId)
      request?.reject(error)
    } finally {
      queue.unfinished -= 1
      this.#tidy(jobId, queue)
    }
  }

  #follow(queue: Queue, request: FetchRequest, job: SwapJob, verdict: Promise<Confirmed>): void {
    const now = this.#parts.clock.now()
    this.#lastOfJob.set(request.job.id, now)
    this.#lastOfId.set(`${request.job.id} ${request.upstreamId}`, now)
    const ended = async (): Promise<EndedFetch> => {
      try {
        return { verdict: await verdict, job }
      } finally {
        queue.inProgress.delete(request.upstreamId)
        this.#tidy(request.job.id, queue)
      }
    }
    request.resolve(ended())
  }

  #takeBest(jobId: string, { waiting }: Queue): FetchRequest | null {
    let best: { readonly request: FetchRequest; readonly rank: number } | null = null
    for (const request of waiting.values()) {
      const isOwnId = request.job.upstreamId === request.upstreamId
      const rank = isOwnId ? -Infinity : (this.#lastOfId.get(`${jobId} ${request.upstreamId}`) ?? 0)
      // Of equal ranks the later one wins: it is newer.
      if (best === null || rank <= best.rank) best = { request, rank }
    }
    if (best) waiting.delete(best.request.upstreamId)
    return best?.request ?? null
  }

  #tidy(jobId: string, queue: Queue): void {
    if (queue.unfinished === 0 && queue.inProgress.size === 0) this.#queues.delete(jobId)
  }
}

function createQueue(): Queue {
  return { waiting: new Map(), inProgress: new Map(), last: Promise.resolve(), unfinished: 0 }
}

const notYet = () => {}

function createFetchRequest(job: SwapJob, upstreamId: string): FetchRequest {
  let [resolve, reject]: [FetchRequest['resolve'], FetchRequest['reject']] = [notYet, notYet]
  const ended = new Promise<EndedFetch>((onEnd, onFailure) => {
    resolve = onEnd
    reject = onFailure
  })
  return { job, upstreamId, ended, resolve, reject }
}
