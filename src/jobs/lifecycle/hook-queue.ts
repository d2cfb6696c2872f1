/**
 * The turns of one job's hooks: one fetch starts at a time, a second after the one before it. Hooks that name the same
 * id share a fetch; each other id gets a verdict of its own. The job's own id goes first, then ids that were never
 * fetched, the newest first, then the id whose fetch is longest ago: one forged hook, or many, cannot keep the right one
 * from its turn.
 */
import type { SwapJob } from '../../domain/swap-job.ts'
import type { Clock } from '../../lib/time/clock.ts'
import { createTtlCache, type TtlCache } from '../../lib/time/ttl-cache.ts'
import type { Confirmed } from './confirmed.ts'

/** Longer than the longest pause between two looks at one hook. */
const REMEMBERED_MS = 120_000

/** What one turn came to. `verdict` is null if nothing was fetched. */
interface StartedFetch {
  readonly verdict: Promise<Confirmed> | null
  readonly job: SwapJob
}

/** A turn whose fetch has ended. */
export interface EndedFetch {
  readonly verdict: Confirmed | null
  readonly job: SwapJob
}

export interface HookQueueParts {
  readonly spacingMs: number
  /** Resolves after `spacingMs` or more, once a fetch may be made; to false if the gateway stops first. */
  readonly waitForSlot: (spacingMs: number) => Promise<boolean>
  readonly clock: Pick<Clock, 'now'>
  /** Starts a fetch of `upstreamId` for the job; resolves as soon as it is under way. */
  readonly fetch: (job: SwapJob, upstreamId: string) => Promise<StartedFetch>
}

interface Ask {
  readonly job: SwapJob
  readonly upstreamId: string
  readonly ended: Promise<EndedFetch>
  readonly resolve: (started: EndedFetch | Promise<EndedFetch>) => void
  readonly reject: (error: unknown) => void
}

/** The hooks of one job that wait for a turn, and those whose fetch is under way; by the id they name. */
interface Queue {
  readonly waiting: Map<string, Ask>
  readonly underWay: Map<string, Promise<EndedFetch>>
  /** Ends when the last turn has been given. */
  last: Promise<void>
  unfinished: number
}

export class HookQueue {
  readonly #parts: HookQueueParts
  readonly #queues = new Map<string, Queue>()
  /** When a hook of each job was last fetched, and when each id was. */
  readonly #lastOfJob: TtlCache<number>
  readonly #lastOfId: TtlCache<number>

  constructor(parts: HookQueueParts) {
    this.#parts = parts
    const now = () => parts.clock.now()
    this.#lastOfJob = createTtlCache(parts.spacingMs, now)
    this.#lastOfId = createTtlCache(REMEMBERED_MS, now)
  }

  /** Waits for a turn to fetch `upstreamId` for the job; resolves when that fetch has ended. */
  async take(job: SwapJob, upstreamId: string): Promise<EndedFetch> {
    // A fetch under way is older than this hook; its failure is its own callers' to handle.
    await this.#queues
      .get(job.id)
      ?.underWay.get(upstreamId)
      ?.catch(() => null)
    const queue = this.#queues.get(job.id) ?? createQueue()
    this.#queues.set(job.id, queue)
    const known = queue.waiting.get(upstreamId)
    if (known) return known.ended
    const ask = createAsk(job, upstreamId)
    queue.waiting.set(upstreamId, ask)
    queue.unfinished += 1
    // Never rejects. A turn goes to the best hook at that moment, which need not be the one it was queued for.
    queue.last = queue.last.then(async () => this.#fetchNext(job.id, queue))
    return ask.ended
  }

  /** Whether a fetch of another id of the job is starting or under way, or that id was never fetched and waits. */
  hasOthers(jobId: string, upstreamId: string): boolean {
    const queue = this.#queues.get(jobId)
    if (!queue) return false
    const isNew = (id: string) => id !== upstreamId && this.#lastOfId.get(`${jobId} ${id}`) === undefined
    return [...queue.underWay.keys()].some((id) => id !== upstreamId) || [...queue.waiting.keys()].some(isNew)
  }

  async #fetchNext(jobId: string, queue: Queue): Promise<void> {
    const { spacingMs, waitForSlot, clock, fetch } = this.#parts
    let ask: Ask | null = null
    try {
      const hasSlot = await waitForSlot((this.#lastOfJob.get(jobId) ?? -Infinity) + spacingMs - clock.now())
      ask = this.#takeBest(jobId, queue)
      if (!ask) return
      if (!hasSlot) return ask.resolve({ verdict: null, job: ask.job })
      // Before the fetch starts, which takes a read of the job: meanwhile `hasOthers` must find this id too.
      queue.underWay.set(ask.upstreamId, ask.ended)
      const { verdict, job } = await fetch(ask.job, ask.upstreamId)
      if (verdict === null) {
        queue.underWay.delete(ask.upstreamId)
        ask.resolve({ verdict, job })
      } else this.#follow(queue, ask, job, verdict)
    } catch (error) {
      ask ??= this.#takeBest(jobId, queue)
      if (ask) queue.underWay.delete(ask.upstreamId)
      ask?.reject(error)
    } finally {
      queue.unfinished -= 1
      this.#tidy(jobId, queue)
    }
  }

  #follow(queue: Queue, ask: Ask, job: SwapJob, verdict: Promise<Confirmed>): void {
    const now = this.#parts.clock.now()
    this.#lastOfJob.set(ask.job.id, now)
    this.#lastOfId.set(`${ask.job.id} ${ask.upstreamId}`, now)
    const ended = async (): Promise<EndedFetch> => {
      try {
        return { verdict: await verdict, job }
      } finally {
        queue.underWay.delete(ask.upstreamId)
        this.#tidy(ask.job.id, queue)
      }
    }
    ask.resolve(ended())
  }

  #takeBest(jobId: string, { waiting }: Queue): Ask | null {
    let best: { readonly ask: Ask; readonly rank: number } | null = null
    for (const ask of waiting.values()) {
      const isOwnId = ask.job.upstreamId === ask.upstreamId
      const rank = isOwnId ? -Infinity : (this.#lastOfId.get(`${jobId} ${ask.upstreamId}`) ?? 0)
      // Of two equal ones the later, which is newer.
      if (best === null || rank <= best.rank) best = { ask, rank }
    }
    if (best) waiting.delete(best.ask.upstreamId)
    return best?.ask ?? null
  }

  #tidy(jobId: string, queue: Queue): void {
    if (queue.unfinished === 0 && queue.underWay.size === 0) this.#queues.delete(jobId)
  }
}

function createQueue(): Queue {
  return { waiting: new Map(), underWay: new Map(), last: Promise.resolve(), unfinished: 0 }
}

const notYet = () => {}

function createAsk(job: SwapJob, upstreamId: string): Ask {
  let [resolve, reject]: [Ask['resolve'], Ask['reject']] = [notYet, notYet]
  const ended = new Promise<EndedFetch>((onEnd, onFailure) => {
    resolve = onEnd
    reject = onFailure
  })
  return { job, upstreamId, ended, resolve, reject }
}
