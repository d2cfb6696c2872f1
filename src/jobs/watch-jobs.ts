/**
 * Watching all of a viewer's jobs: a snapshot of what is unfinished, or what has changed since a cursor; then
 * CAUGHT_UP; then each change.
 *
 * The log behind it is the jobs themselves, in the order of their last change. A cursor is a place in that order, so
 * reading on from it gives each changed job once, as it is now, however long the reader was away or how slowly it
 * reads: one slot for each job, kept by the store and not by us. The end of the catching-up is fixed at its beginning;
 * a job that changes meanwhile moves behind it, and comes as a change.
 */
import DataLoader from 'dataloader'
import { maySee, requireScope, type Viewer } from '../auth/viewer.ts'
import type { EventBus } from '../bus/event-bus.ts'
import { GatewayError } from '../domain/errors.ts'
import { checkFilter, type JobFilter, matchesFilter } from '../domain/job-filter.ts'
import type { SwapJob } from '../domain/swap-job.ts'
import type { Clock } from '../lib/time/clock.ts'
import type { ChangedJob, JobStore } from '../store/job-store.ts'
import { createFeedSource, type Feed, type FeedSource } from './feed.ts'

export const JOB_EVENT_KINDS = ['SNAPSHOT', 'REPLAY', 'CHANGE', 'CAUGHT_UP', 'KEEPALIVE'] as const
export type JobEventKind = (typeof JOB_EVENT_KINDS)[number]

export interface JobEvent {
  readonly kind: JobEventKind
  /** Where to go on from after this event. */
  readonly cursor: string
  /** Null for CAUGHT_UP and KEEPALIVE. */
  readonly job: SwapJob | null
  /** Whether what came before this event could not be replayed. */
  readonly gap: boolean
}

/** How long a cursor is good for. */
const CURSOR_KEPT_MS = 24 * 60 * 60 * 1_000
/** Changes that one read takes from the store. */
const PAGE = 100

export interface JobsWatcherParts {
  readonly store: Pick<JobStore, 'findLastChange' | 'listChanges'>
  readonly bus: Pick<EventBus, 'subscribeTenant'>
  readonly clock: Pick<Clock, 'now'>
}

/**
 * All jobs of the viewer that fit `filter` as they are now. Without `after` it begins with the unfinished ones.
 * @throws {GatewayError} code INVALID_INPUT when `after` is no cursor of ours.
 */
export type WatchJobs = (viewer: Viewer, filter: JobFilter, after: string | null) => FeedSource<JobEvent>

export function createWatchJobs({ store, bus, clock }: JobsWatcherParts): WatchJobs {
  // Whoever is up to date waits at the same place: one change, one read and one event object for all of them.
  const tails = new DataLoader<Place, readonly Change[]>(
    async (places) => {
      const distinct = new Map(places.map((sequence) => [keyOf(sequence), sequence]))
      const pages = new Map([...distinct].map(([key, sequence]) => [key, readTail(sequence)]))
      return Promise.all(places.map(async (sequence) => pages.get(keyOf(sequence)) ?? []))
    },
    { cache: false, maxBatchSize: Infinity },
  )

  const readTail = async ({ tenant, after }: Place) => {
    const range = { after, upTo: Number.MAX_SAFE_INTEGER, limit: PAGE, unfinished: false }
    const changes = await store.listChanges(tenant, range)
    const now = clock.now()
    return changes.map(({ sequence, job }): Change => {
      const cursor = writeCursor(sequence, now)
      return { sequence, job, event: { kind: 'CHANGE', cursor, job, gap: false } }
    })
  }

  const openFeed = (viewer: Viewer, filter: JobFilter, after: Cursor | null, notify: () => void): Feed<JobEvent> => {
    const { tenant } = viewer
    const detach = bus.subscribeTenant(tenant, notify)
    let position = 0
    let caughtUpAt = 0
    let phase: 'opening' | 'SNAPSHOT' | 'REPLAY' | 'live' = 'opening'
    let hasGap = false
    let wantsRepeat = false
    let page: readonly (ChangedJob | Change)[] = []
    let next = 0

    const begin = async () => {
      caughtUpAt = await store.findLastChange(tenant)
      // A place that the store has not reached yet is one of another store.
      const isGood = after !== null && after.sequence <= caughtUpAt && after.at > clock.now() - CURSOR_KEPT_MS
      hasGap = after !== null && !isGood
      position = isGood ? after.sequence : 0
      phase = isGood ? 'REPLAY' : 'SNAPSHOT'
    }

    const readPage = async () => {
      page =
        phase === 'live'
          ? await tails.load({ tenant, after: position })
          : await store.listChanges(tenant, {
              after: position,
              upTo: caughtUpAt,
              limit: PAGE,
              unfinished: phase === 'SNAPSHOT',
            })
      next = 0
    }

    const give = (kind: JobEventKind, job: SwapJob | null): JobEvent => {
      const event = { kind, cursor: writeCursor(position, clock.now()), job, gap: hasGap }
      hasGap = false
      return event
    }

    /** The next of the page that fits; null where there is none. */
    const takeFromPage = (): JobEvent | null => {
      for (let change = page[next]; change; change = page[next]) {
        next += 1
        position = change.sequence
        if (!maySee(viewer, change.job) || !matchesFilter(change.job, filter)) continue
        return 'event' in change ? change.event : give(phase === 'SNAPSHOT' ? 'SNAPSHOT' : 'REPLAY', change.job)
      }
      return null
    }

    return {
      read: async () => {
        if (phase === 'opening') await begin()
        for (;;) {
          const event = takeFromPage()
          if (event) {
            wantsRepeat = false
            notify()
            return event
          }
          await readPage()
          if (page.length > 0) continue
          if (phase !== 'live') {
            phase = 'live'
            position = caughtUpAt
            notify()
            return give('CAUGHT_UP', null)
          }
          if (!wantsRepeat) return null
          wantsRepeat = false
          return give('KEEPALIVE', null)
        }
      },
      repeat: () => {
        wantsRepeat = true
      },
      isOver: () => false,
      close: detach,
    }
  }

  return (viewer, filter, after) => {
    requireScope(viewer, 'swap:read')
    checkFilter(filter)
    const cursor = after === null ? null : parseCursor(after)
    return createFeedSource((notify) => openFeed(viewer, filter, cursor, notify))
  }
}

/** A change, and the one event that all who are up to date are given for it. */
interface Change extends ChangedJob {
  readonly event: JobEvent
}

interface Place {
  readonly tenant: string
  readonly after: number
}

function keyOf({ tenant, after }: Place): string {
  return `${after} ${tenant}`
}

/** A place among the changes, and when it was handed out. */
interface Cursor {
  readonly sequence: number
  readonly at: number
}

function writeCursor(sequence: number, at: number): string {
  return Buffer.from(`${sequence} ${at}`).toString('base64url')
}

function parseCursor(text: string): Cursor {
  const [, sequence, at] = /^(\d{1,15}) (\d{1,15})$/.exec(Buffer.from(text, 'base64url').toString('utf8')) ?? []
  if (sequence === undefined || at === undefined) {
    throw new GatewayError(
      'INVALID_INPUT',
      '`after` is not a cursor of this stream. Leave it out to begin with a snapshot.',
    )
  }
  return { sequence: Number(sequence), at: Number(at) }
}
