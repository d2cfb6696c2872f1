interface Waiter {
  readonly weight: number
  readonly start: () => void
}

/**
 * Weighted semaphore: work in progress weighs at most `permits` in total, and at most `maxPerKey` per key, usually a
 * tenant. Waiting keys are served round-robin; within a key, first in, first out.
 */
export class Semaphore {
  readonly #maxPerKey: number
  #free: number
  readonly #held = new Map<string, number>()
  /** Keys in round-robin order: the key that was served last is at the end. */
  readonly #waiting = new Map<string, Waiter[]>()

  constructor(permits: number, maxPerKey = permits) {
    this.#maxPerKey = maxPerKey
    this.#free = permits
  }

  /**
   * Runs the work as soon as its weight is free. A weight above `maxPerKey` counts as `maxPerKey`. Work that turns out
   * to weigh less calls `shrinkTo`, which releases the difference at once.
   */
  async run<T>(key: string, weight: number, work: (shrinkTo: (weight: number) => void) => Promise<T>): Promise<T> {
    let held = Math.min(weight, this.#maxPerKey)
    await new Promise<void>((start) => {
      const queue = this.#waiting.get(key) ?? []
      queue.push({ weight: held, start })
      this.#waiting.set(key, queue)
      this.#startWaiting()
    })
    const shrinkTo = (less: number) => {
      const excess = Math.max(0, held - less)
      held -= excess
      this.#hold(key, -excess)
      this.#startWaiting()
    }
    try {
      return await work(shrinkTo)
    } finally {
      this.#hold(key, -held)
      this.#startWaiting()
    }
  }

  /** Returns the number of waiting pieces of work of this key. */
  countWaiting(key: string): number {
    return this.#waiting.get(key)?.length ?? 0
  }

  #startWaiting(): void {
    // A key re-inserted at the end is visited again by this loop.
    for (const [key, queue] of this.#waiting) {
      const [next] = queue
      if (!next || (this.#held.get(key) ?? 0) + next.weight > this.#maxPerKey) continue
      // Lighter work must not overtake, or heavy work would starve.
      if (next.weight > this.#free) return
      queue.shift()
      this.#waiting.delete(key)
      if (queue.length > 0) this.#waiting.set(key, queue)
      this.#hold(key, next.weight)
      next.start()
    }
  }

  #hold(key: string, weight: number): void {
    this.#free -= weight
    const held = (this.#held.get(key) ?? 0) + weight
    if (held > 0) this.#held.set(key, held)
    else this.#held.delete(key)
  }
}
