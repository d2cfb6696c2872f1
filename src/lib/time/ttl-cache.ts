/** Two-generation TTL cache: a whole generation is dropped at once, so expiry is O(1). */
export interface TtlCache<T> {
  get(name: string): T | undefined
  set(name: string, value: T): void
  clear(): void
}

/**
 * Creates a cache whose entries live for at least `forMs` and less than twice as long.
 * @param now monotonic, in milliseconds.
 * @param maxSize of one generation, as `sizeOf` counts it; beyond it entries expire sooner.
 */
export function createTtlCache<T>(
  forMs: number,
  now: () => number,
  maxSize = Infinity,
  sizeOf: (name: string, value: T) => number = () => 0,
): TtlCache<T> {
  let recent = new Map<string, T>()
  let earlier = new Map<string, T>()
  let beganAt = now()
  let size = 0

  const rotate = (generation: Map<string, T>, at: number) => {
    earlier = generation
    recent = new Map()
    beganAt = at
    size = 0
  }
  const age = () => {
    const at = now()
    const passedMs = at - beganAt
    if (passedMs >= forMs) rotate(passedMs < 2 * forMs ? recent : new Map(), at)
  }

  return {
    get: (name) => {
      age()
      return recent.get(name) ?? earlier.get(name)
    },
    set: (name, value) => {
      age()
      const own = sizeOf(name, value)
      if (size + own > maxSize) rotate(recent, beganAt)
      size += own
      recent.set(name, value)
    },
    clear: () => {
      rotate(new Map(), now())
    },
  }
}
