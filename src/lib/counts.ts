/** How many there are of each key; a key of which there is none is not kept. */
export interface Counts {
  /** Adds to a key's count, and tells it. */
  add(key: string, change: 1 | -1): number
}

export function createCounts(): Counts {
  const counts = new Map<string, number>()
  return {
    add: (key, change) => {
      const count = (counts.get(key) ?? 0) + change
      if (count === 0) counts.delete(key)
      else counts.set(key, count)
      return count
    },
  }
}
