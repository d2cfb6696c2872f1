/**
 * Index of the stored views (scaled or re-encoded images): their sizes and when they were last used. It decides which
 * ones to evict: views not used for a day, and the least recently used ones above a limit. An evicted view is created
 * again on demand. Each process has its own index, filled from the blob store by the hourly sweep.
 */

export interface ViewLimits {
  readonly maxBytesPerTenant: number
  readonly maxBytes: number
  readonly maxAgeMs: number
}

interface View {
  readonly byteLength: number
  readonly usedAt: number
}

/** After an eviction this share of the limit is used, so that the next view does not evict again. */
const SHARE_KEPT = 0.9

export class ViewIndex {
  readonly #limits: ViewLimits
  readonly #tenants = new Map<string, Map<string, View>>()
  readonly #bytes = new Map<string, number>()

  constructor(limits: ViewLimits) {
    this.#limits = limits
  }

  /** Records a stored view and when it was last used (or stored, if its use is not known). */
  record(tenant: string, key: string, { byteLength, usedAt }: View): void {
    const views = this.#tenants.get(tenant) ?? new Map<string, View>()
    const known = views.get(key)
    this.#tenants.set(tenant, views)
    views.set(key, { byteLength, usedAt: Math.max(usedAt, known?.usedAt ?? 0) })
    this.#bytes.set(tenant, this.#bytesOf(tenant) + byteLength - (known?.byteLength ?? 0))
  }

  /** Removes the views to evict from the index. @returns their keys. */
  takeExcess(now: number): string[] {
    const keys = [...this.#tenants.keys()].flatMap((tenant) => [
      ...this.#take(tenant, ({ usedAt }) => usedAt <= now - this.#limits.maxAgeMs),
      ...this.#shrink(tenant, this.#limits.maxBytesPerTenant),
    ])
    // Evict from the tenant that uses the most bytes.
    while (this.#total() > this.#limits.maxBytes) {
      const [tenant, bytes] = [...this.#bytes].reduce((most, one) => (one[1] > most[1] ? one : most))
      keys.push(...this.#shrink(tenant, bytes - 1))
    }
    return keys
  }

  /** Removes deleted views from the index. */
  forget(tenant: string, keys: readonly string[]): void {
    const gone = new Set(keys)
    this.#take(tenant, (_view, key) => gone.has(key))
  }

  #shrink(tenant: string, maxBytes: number): string[] {
    if (this.#bytesOf(tenant) <= maxBytes) return []
    let excess = this.#bytesOf(tenant) - maxBytes * SHARE_KEPT
    const oldest = [...(this.#tenants.get(tenant) ?? [])].toSorted(([, a], [, b]) => a.usedAt - b.usedAt)
    const gone = new Set<string>()
    for (const [key, { byteLength }] of oldest) {
      if (excess <= 0) break
      gone.add(key)
      excess -= byteLength
    }
    return this.#take(tenant, (_view, key) => gone.has(key))
  }

  #take(tenant: string, isGone: (view: View, key: string) => boolean): string[] {
    const views = this.#tenants.get(tenant)
    const keys: string[] = []
    for (const [key, view] of views ?? []) {
      if (!isGone(view, key)) continue
      views?.delete(key)
      keys.push(key)
      this.#bytes.set(tenant, this.#bytesOf(tenant) - view.byteLength)
    }
    if (views?.size === 0) {
      this.#tenants.delete(tenant)
      this.#bytes.delete(tenant)
    }
    return keys
  }

  #bytesOf(tenant: string): number {
    return this.#bytes.get(tenant) ?? 0
  }

  #total(): number {
    return [...this.#bytes.values()].reduce((sum, bytes) => sum + bytes, 0)
  }
}
