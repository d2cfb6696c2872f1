/**
 * The feed of one subscriber to all jobs of a viewer, read on demand: a snapshot of the unfinished jobs, or the changes
 * since a cursor; then CAUGHT_UP; then each change.
 *
 *   opening → SNAPSHOT | REPLAY → live
 *
 * The jobs themselves are the log, in the order of their last change. A cursor is a position in that order, so reading
 * on from it returns each changed job once, in its current state, however slowly the subscriber reads. The end of the
 * snapshot or replay is fixed at its start; a job that changes meanwhile moves behind that end and is sent as a change.
 */
import { maySee, type Viewer } from '../auth/viewer.ts'
import type { EventBus } from '../bus/event-bus.ts'
import { GatewayError } from '../domain/errors.ts'
import { type JobFilter, matchesFilter } from '../domain/job-filter.ts'
import type { SwapJob } from '../domain/swap-job.ts'
import type { Clock } from '../lib/time/clock.ts'
import type { ChangedJob, JobStore } from '../store/job-store.ts'
import type { Feed } from './feed.ts'

export const JOB_EVENT_KINDS = ['SNAPSHOT', 'REPLAY', 'CHANGE', 'CAUGHT_UP', 'KEEPALIVE'] as const
export type JobEventKind = (typeof JOB_EVENT_KINDS)[number]

export interface JobEvent {
  readonly kind: JobEventKind
  /** The position from which to resume after this event. */
  readonly cursor: string
  /** Null for CAUGHT_UP and KEEPALIVE. */
  readonly job: SwapJob | null
  /** Whether changes before this event could not be replayed. */
  readonly gap: boolean
}

/** How long a cursor is valid. */
const CURSOR_LIFETIME_MS = 24 * 60 * 60 * 1_000
/** Changes that one read takes from the store. */
export const CHANGES_PER_PAGE = 100

/** A change, and the event shared by all subscribers that are up to date. */
export interface Change extends ChangedJob {
  readonly event: JobEvent
}

/** A position among the changes of a tenant's jobs. */
export interface TailPosition {
  readonly tenant: string
  readonly after: number
}

export interface JobsFeedParts {
  readonly store: Pick<JobStore, 'findLastChange' | 'listChanges'>
  /** Reads the changes after a position that subscribers are up to date with. */
  readonly readTail: (position: TailPosition) => Promise<readonly Change[]>
  readonly bus: Pick<EventBus, 'subscribeTenant'>
  readonly clock: Pick<Clock, 'now'>
  readonly viewer: Viewer
  readonly filter: JobFilter
  /** The position to resume from; null: start with a snapshot. */
  readonly cursor: Cursor | null
  /** Called when another read may return an event. */
  readonly notify: () => void
}

export class JobsFeed implements Feed<JobEvent> {
  readonly #parts: JobsFeedParts
  readonly #detach: () => void
  #phase: 'opening' | 'SNAPSHOT' | 'REPLAY' | 'live' = 'opening'
  /** The sequence number of the last change that was read. */
  #position = 0
  /** Where the snapshot or the replay ends. */
  #caughtUpAt = 0
  #hasGap = false
  #wantsRepeat = false
  #page: readonly (ChangedJob | Change)[] = []
  #next = 0

  constructor(parts: JobsFeedParts) {
    this.#parts = parts
    this.#detach = parts.bus.subscribeTenant(parts.viewer.tenant, parts.notify)
  }

  async read(): Promise<JobEvent | null> {
    const { notify } = this.#parts
    if (this.#phase === 'opening') await this.#begin()
    for (;;) {
      const event = this.#takeFromPage()
      if (event) {
        this.#wantsRepeat = false
        notify()
        return event
      }
      await this.#readPage()
      if (this.#page.length > 0) continue
      if (this.#phase !== 'live') {
        this.#phase = 'live'
        this.#position = this.#caughtUpAt
        notify()
        return this.#createEvent('CAUGHT_UP', null)
      }
      if (!this.#wantsRepeat) return null
      this.#wantsRepeat = false
      return this.#createEvent('KEEPALIVE', null)
    }
  }

  repeat(): void {
    this.#wantsRepeat = true
  }

  isOver(): boolean {
    return false
  }

  close(): void {
    this.#detach()
  }

  async #begin(): Promise<void> {
    const { store, viewer, cursor, clock } = this.#parts
    this.#caughtUpAt = await store.findLastChange(viewer.tenant)
    // A position beyond the store's last change comes from another store.
    const isValid =
      cursor !== null && cursor.sequence <= this.#caughtUpAt && cursor.at > clock.now() - CURSOR_LIFETIME_MS
    this.#hasGap = cursor !== null && !isValid
    this.#position = isValid ? cursor.sequence : 0
    this.#phase = isValid ? 'REPLAY' : 'SNAPSHOT'
  }

  async #readPage(): Promise<void> {
    const { store, readTail, viewer } = this.#parts
    const after = this.#position
    const range = { after, upTo: this.#caughtUpAt, limit: CHANGES_PER_PAGE, unfinished: this.#phase === 'SNAPSHOT' }
    this.#page =
      this.#phase === 'live'
        ? await readTail({ tenant: viewer.tenant, after })
        : await store.listChanges(viewer.tenant, range)
    this.#next = 0
  }

  /** Returns the next change of the page that the viewer may see and that matches the filter; null if there is none. */
  #takeFromPage(): JobEvent | null {
    const { viewer, filter } = this.#parts
    for (let change = this.#page[this.#next]; change; change = this.#page[this.#next]) {
      this.#next += 1
      this.#position = change.sequence
      if (!maySee(viewer, change.job) || !matchesFilter(change.job, filter)) continue
      if ('event' in change) return change.event
      return this.#createEvent(this.#phase === 'SNAPSHOT' ? 'SNAPSHOT' : 'REPLAY', change.job)
    }
    return null
  }

  #createEvent(kind: JobEventKind, job: SwapJob | null): JobEvent {
    const event = { kind, cursor: writeCursor(this.#position, this.#parts.clock.now()), job, gap: this.#hasGap }
    this.#hasGap = false
    return event
  }
}

/** A position among the changes, and when it was issued. */
export interface Cursor {
  readonly sequence: number
  readonly at: number
}

export function writeCursor(sequence: number, at: number): string {
  return Buffer.from(`${sequence} ${at}`).toString('base64url')
}

/** @throws {GatewayError} code INVALID_INPUT. */
export function parseCursor(text: string): Cursor {
  const [, sequence, at] = /^(\d{1,15}) (\d{1,15})$/.exec(Buffer.from(text, 'base64url').toString('utf8')) ?? []
  if (sequence === undefined || at === undefined) {
    throw new GatewayError(
      'INVALID_INPUT',
      '`after` is not a cursor of this stream. Leave it out to begin with a snapshot.',
    )
  }
  return { sequence: Number(sequence), at: Number(at) }
}
