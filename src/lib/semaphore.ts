interface Waiter {
  readonly weight: number
  readonly start: () => void
}

/**
 * Weighted semaphore: the work in progress weighs at most `permits` together. The keys of the waiting work, usually
 * tenants, take turns; of one key it is first come, first served.
 */
export class Semaphore {
  readonly #permits: number
  #free: number
  /** The key that was served last is the last one. */
  readonly #waiting = new Map<string, Waiter[]>()

  constructor(permits: number) {
    this.#permits = permits
    this.#free = permits
  }

  /**
   * Does the work as soon as its weight is free. A weight above all permits counts as all of them. Work that turns out
   * to weigh less says so by `shrinkTo`, and the rest is free for others at once.
   */
  async run<T>(key: string, weight: number, work: (shrinkTo: (weight: number) => void) => Promise<T>): Promise<T> {
    let held = Math.min(weight, this.#permits)
    await this.#acquire(key, held)
    const shrinkTo = (less: number) => {
      const excess = Math.max(0, held - less)
      held -= excess
      this.#release(excess)
    }
    try {
      return await work(shrinkTo)
    } finally {
      this.#release(held)
    }
  }

  /** How much work of this key waits. */
  countWaiting(key: string): number {
    return this.#waiting.get(key)?.length ?? 0
  }

  async #acquire(key: string, weight: number): Promise<void> {
    if (this.#waiting.size === 0 && weight <= this.#free) {
      this.#free -= weight
      return
    }
    await new Promise<void>((start) => {
      const queue = this.#waiting.get(key) ?? []
      queue.push({ weight, start })
      this.#waiting.set(key, queue)
    })
  }

  #release(weight: number): void {
    this.#free += weight
    for (;;) {
      const [turn] = this.#waiting
      if (!turn) return
      const [key, queue] = turn
      const [next] = queue
      // Lighter work does not overtake: heavy work would never have its turn.
      if (!next || next.weight > this.#free) return
      queue.shift()
      this.#waiting.delete(key)
      if (queue.length > 0) this.#waiting.set(key, queue)
      this.#free -= next.weight
      next.start()
    }
  }
}
