import { systemClock } from '../../lib/time/clock.ts'

export interface CachedReadParts<T> {
  readonly read: () => Promise<T>
  /** How long a value is returned again. */
  readonly ttlMs: number
  readonly timeoutMs: number
  /** Called if a read fails, and if a caller stops waiting for one. */
  readonly onFailure: (error: unknown) => void
}

/** A value that has at most one read in progress, and one per `ttlMs`. Its callers wait for at most `timeoutMs`. */
export class CachedRead<T> {
  readonly #parts: CachedReadParts<T>
  #pending: Promise<T | null> | null = null
  #last: { readonly value: T; readonly at: number } | null = null

  constructor(parts: CachedReadParts<T>) {
    this.#parts = parts
  }

  /** Resolves to null if the read failed or takes too long. Never rejects. */
  async get(): Promise<T | null> {
    const { ttlMs, timeoutMs, onFailure } = this.#parts
    if (this.#last !== null && systemClock.now() < this.#last.at + ttlMs) return this.#last.value
    const pending = (this.#pending ??= this.#read())
    return new Promise((resolve) => {
      const cancel = systemClock.after(timeoutMs, () => {
        onFailure(new Error(`no response within ${timeoutMs} ms`))
        resolve(null)
      })
      const pass = async () => {
        resolve(await pending)
        cancel()
      }
      void pass()
    })
  }

  /** Never rejects. */
  async #read(): Promise<T | null> {
    try {
      const value = await this.#parts.read()
      this.#last = { value, at: systemClock.now() }
      return value
    } catch (error) {
      this.#parts.onFailure(error)
      return null
    } finally {
      this.#pending = null
    }
  }
}
