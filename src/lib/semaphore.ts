interface Waiter {
  readonly weight: number
  readonly start: () => void
}

/** Weighted semaphore: work under way weighs at most `permits` together. First come, first served. */
export class Semaphore {
  readonly #permits: number
  #free: number
  readonly #waiting: Waiter[] = []

  constructor(permits: number) {
    this.#permits = permits
    this.#free = permits
  }

  /** Does the work as soon as its weight is free. A weight above all permits counts as all of them. */
  async run<T>(weight: number, work: () => Promise<T>): Promise<T> {
    const held = Math.min(weight, this.#permits)
    await this.#acquire(held)
    try {
      return await work()
    } finally {
      this.#release(held)
    }
  }

  async #acquire(weight: number): Promise<void> {
    if (this.#waiting.length === 0 && weight <= this.#free) {
      this.#free -= weight
      return
    }
    await new Promise<void>((start) => this.#waiting.push({ weight, start }))
  }

  #release(weight: number): void {
    this.#free += weight
    for (let next = this.#waiting[0]; next && next.weight <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#free -= next.weight
      next.start()
    }
  }
}
