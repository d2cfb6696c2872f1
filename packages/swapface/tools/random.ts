/** Deterministic pseudo-random numbers from 0 to 1: equal for equal seeds on every machine (mulberry32). */
export type Random = () => number

export function createRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Returns an approximately normal number around 0, mostly within ±1: the mean of a few uniform ones. */
export function drawBell(random: Random): number {
  return (random() + random() + random() - 1.5) * 1.15
}
