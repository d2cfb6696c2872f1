/**
 * Fair queue for the work of many owners on one thread: at most `concurrency` pieces run at a time, at most one begins
 * per turn of the event loop, and owners alternate. An owner with a thousand queued pieces delays another owner's next
 * piece by one.
 *
 * While several owners are active, an owner pauses after a piece for as long as the piece held the event loop. One
 * owner then uses at most half of the event loop; the rest is for small work that does not go through the queue.
 */
import { type Clock, systemClock } from '../time/clock.ts'

/** An owner is active for this long after its last work. */
const ACTIVE_MS = 1_000
/** Longest pause: if a piece took longer, other work delayed it. */
const MAX_REST_MS = 50

interface Activity {
  readonly owner: string
  readonly at: number
}

export class FairQueue {
  readonly #concurrency: number
  readonly #clock: Pick<Clock, 'now' | 'after'>
  /** In the order of the owners' turns. */
  readonly #waiting = new Map<string, (() => void)[]>()
  readonly #resting = new Set<string>()
  #running = 0
  /** Whether a piece has begun in this turn of the event loop. */
  #hasBegun = false
  #latest: Activity = { owner: '', at: Number.NEGATIVE_INFINITY }
  /** The latest activity of any other owner. */
  #other: Activity = this.#latest

  constructor(concurrency: number, clock: Pick<Clock, 'now' | 'after'> = systemClock) {
    this.#concurrency = concurrency
    this.#clock = clock
  }

  /** Records activity of the owner. */
  markActive(owner: string): void {
    if (owner !== this.#latest.owner) this.#other = this.#latest
    this.#latest = { owner, at: this.#clock.now() }
  }

  /** Runs `work` when it is the owner's turn; at once if nothing else runs or waits. */
  async run<T>(owner: string, work: () => T | Promise<T>): Promise<T> {
    this.markActive(owner)
    await this.#acquire(owner)
    try {
      return await work()
    } finally {
      this.#running -= 1
      this.#beginNext()
    }
  }

  async #acquire(owner: string): Promise<void> {
    if (this.#waiting.size === 0 && this.#isFree() && !this.#resting.has(owner)) return this.#begin(owner)
    await new Promise<void>((resolve) => {
      const own = this.#waiting.get(owner)
      if (own) own.push(resolve)
      else this.#waiting.set(owner, [resolve])
      this.#beginNext()
    })
  }

  #isFree(): boolean {
    return !this.#hasBegun && this.#running < this.#concurrency
  }

  #begin(owner: string): void {
    this.#running += 1
    this.#hasBegun = true
    const from = this.#clock.now()
    setImmediate(() => {
      this.#hasBegun = false
      this.#rest(owner, this.#clock.now() - from)
      this.#beginNext()
    })
  }

  #rest(owner: string, tookMs: number): void {
    if (tookMs <= 0 || this.#clock.now() - this.#other.at > ACTIVE_MS) return
    this.#resting.add(owner)
    this.#clock.after(Math.min(tookMs, MAX_REST_MS), () => {
      this.#resting.delete(owner)
      this.#beginNext()
    })
  }

  #beginNext(): void {
    if (!this.#isFree()) return
    for (const [owner, own] of this.#waiting) {
      if (this.#resting.has(owner)) continue
      // Re-inserting moves the owner to the end of the queue.
      this.#waiting.delete(owner)
      const start = own.shift()
      if (own.length > 0) this.#waiting.set(owner, own)
      this.#begin(owner)
      start?.()
      return
    }
  }
}
