interface Waiter {
  readonly weight: number
  readonly start: () => void
}

/**
 * Weighted semaphore: the work in progress weighs at most `permits` together, and `maxPerKey` of one key, usually a
 * tenant. The keys of the waiting work take turns; of one key it is first come, first served.
 */
export class Semaphore {
  readonly #maxPerKey: number
  #free: number
  readonly #held = new Map<string, number>()
  /** The key that was served last is the last one. */
  readonly #waiting = new Map<string, Waiter[]>()

  constructor(permits: number, maxPerKey = permits) {
    this.#maxPerKey = maxPerKey
    this.#free = permits
  }

  /**
   * Does the work as soon as its weight is free. A weight above what one key may have counts as all of that. Work that
   * turns out to weigh less says so by `shrinkTo`, and the rest is free for others at once.
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

  /** How much work of this key waits. */
  countWaiting(key: string): number {
    return this.#waiting.get(key)?.length ?? 0
  }

  #startWaiting(): void {
    // A key that goes to the end is visited again.
    for (const [key, queue] of this.#waiting) {
      const [next] = queue
      if (!next || (this.#held.get(key) ?? 0) + next.weight > this.#maxPerKey) continue
      // Lighter work does not overtake: heavy work would never have its turn.
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
