/**
 * Gauges of the current state, set for each scrape. Figures that need the database are cached for some seconds and have
 * a timeout: if the database does not respond, they are left out and the rest is reported.
 */
import type { Gauge } from 'prom-client'
import { type JobFigures, USAGE_STEP_MS } from '../../store/job-store.ts'
import { CachedRead } from './cached-read.ts'
import type { Instruments } from './instruments.ts'

const DAY_MS = 24 * 60 * 60 * 1_000
const CACHED_MS = 5_000
/** Prometheus itself waits for 10 s. */
const TIMEOUT_MS = 2_000

/** Where the current state is read. */
export interface StateSources {
  readonly readFigures: (since: number) => Promise<JobFigures>
  readonly databaseBytes: () => Promise<number>
  /** Null until the stored images have been counted. */
  readonly imageBytes: () => number | null
  readonly journalBytes: () => Promise<number>
  readonly countConnections: () => Promise<number>
  readonly countLive: () => {
    readonly subscriptions: Readonly<Record<string, number>>
    readonly webSockets: number
  }
  readonly isBreakerOpen: () => boolean
  readonly waitingRoomCapacity: number
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Called if a figure could not be read. */
  readonly onFailure: (error: unknown) => void
}

export class StateGauges {
  readonly #instruments: Instruments
  readonly #sources: StateSources
  readonly #figures: CachedRead<JobFigures>
  readonly #databaseBytes: CachedRead<number>
  readonly #journalBytes: CachedRead<number>

  constructor(instruments: Instruments, sources: StateSources) {
    this.#instruments = instruments
    this.#sources = sources
    const cached = <T>(read: () => Promise<T>) =>
      new CachedRead({ read, ttlMs: CACHED_MS, timeoutMs: TIMEOUT_MS, onFailure: sources.onFailure })
    this.#figures = cached(async () => sources.readFigures(startOfWindow(sources.now())))
    this.#databaseBytes = cached(sources.databaseBytes)
    this.#journalBytes = cached(sources.journalBytes)
    instruments.waitingRoom.set(sources.waitingRoomCapacity)
  }

  /** Never rejects, and takes little longer than the timeout. */
  async update(): Promise<void> {
    const { connections, subscriptions, webSockets, breakerOpen } = this.#instruments
    const { countConnections, countLive, isBreakerOpen } = this.#sources
    const live = countLive()
    for (const [transport, count] of Object.entries(live.subscriptions)) subscriptions.set({ transport }, count)
    webSockets.set(live.webSockets)
    breakerOpen.set(isBreakerOpen() ? 1 : 0)
    connections.set(await countConnections())
    await Promise.all([this.#updateJobs(), this.#updateBytes()])
  }

  async #updateJobs(): Promise<void> {
    const { jobs, oldestUnfinished, waiting, largestTenant } = this.#instruments
    const figures = await this.#figures.get()
    if (figures === null) {
      jobs.reset()
      for (const gauge of [oldestUnfinished, waiting, largestTenant]) gauge.remove()
      return
    }
    const { counts, oldestUnfinishedAt: oldestAt, waiting: all, waitingOfLargestTenant: most } = figures
    for (const { status, count } of counts) jobs.set({ status }, count)
    oldestUnfinished.set(oldestAt === null ? 0 : Math.max(0, this.#sources.now() - oldestAt) / 1_000)
    waiting.set(all)
    largestTenant.set(all === 0 ? 0 : most / all)
  }

  async #updateBytes(): Promise<void> {
    const { storedBytes } = this.#instruments
    const [database, journal] = await Promise.all([this.#databaseBytes.get(), this.#journalBytes.get()])
    setOrRemove(storedBytes, 'database', database)
    setOrRemove(storedBytes, 'images', this.#sources.imageBytes())
    setOrRemove(storedBytes, 'journal', journal)
  }
}

function setOrRemove(gauge: Gauge<'store'>, store: string, value: number | null): void {
  if (value === null) gauge.remove({ store })
  else gauge.set({ store }, value)
}

function startOfWindow(now: number): number {
  const from = now - DAY_MS
  return from - (from % USAGE_STEP_MS)
}
