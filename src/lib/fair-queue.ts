/**
 * Work of many owners on one thread: at most `concurrency` pieces run at a time, at most one begins in each turn of the
 * event loop, and owners alternate. An owner who queues a thousand pieces delays another owner's next piece by one.
 */
export class FairQueue {
  readonly #concurrency: number
  /** In the order in which the owners' turns come. */
  readonly #waiting = new Map<string, (() => void)[]>()
  #running = 0
  /** Whether a piece has begun in this turn of the event loop. */
  #hasBegun = false

  constructor(concurrency: number) {
    this.#concurrency = concurrency
  }

  /** Runs `work` when it is the owner's turn; at once if nothing else runs or waits. */
  async run<T>(owner: string, work: () => T | Promise<T>): Promise<T> {
    await this.#acquire(owner)
    try {
      return await work()
    } finally {
      this.#running -= 1
      this.#beginNext()
    }
  }

  async #acquire(owner: string): Promise<void> {
    if (this.#waiting.size === 0 && this.#isFree()) return this.#begin()
    await new Promise<void>((resolve) => {
      const own = this.#waiting.get(owner)
      if (own) own.push(resolve)
      else this.#waiting.set(owner, [resolve])
    })
  }

  #isFree(): boolean {
    return !this.#hasBegun && this.#running < this.#concurrency
  }

  #begin(): void {
    this.#running += 1
    this.#hasBegun = true
    setImmediate(() => {
      this.#hasBegun = false
      this.#beginNext()
    })
  }

  #beginNext(): void {
    if (!this.#isFree()) return
    const [next] = this.#waiting
    if (!next) return
    const [owner, own] = next
    // To the end of the line, if the owner has more.
    this.#waiting.delete(owner)
    const start = own.shift()
    if (own.length > 0) this.#waiting.set(owner, own)
    this.#begin()
    start?.()
  }
}
