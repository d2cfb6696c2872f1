/** Counter per key. A key is removed when its count reaches zero. */
export interface Counts {
  /** Adds `change` to a key's count and returns the new count. */
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
