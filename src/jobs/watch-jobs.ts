/** Watches all jobs of a viewer (`jobs-feed.ts`), with one read for all subscribers that are up to date. */
import DataLoader from 'dataloader'
import { requireScope, type Viewer } from '../auth/viewer.ts'
import type { EventBus } from '../bus/event-bus.ts'
import { checkFilter, type JobFilter } from '../domain/job-filter.ts'
import type { Clock } from '../lib/time/clock.ts'
import type { JobStore } from '../store/job-store.ts'
import { createFeedSource, type FeedSource } from './feed.ts'
import {
  type Change,
  CHANGES_PER_PAGE,
  type JobEvent,
  JobsFeed,
  parseCursor,
  type TailPosition,
  writeCursor,
} from './jobs-feed.ts'

export interface JobsWatcherParts {
  readonly store: Pick<JobStore, 'findLastChange' | 'listChanges'>
  readonly bus: Pick<EventBus, 'subscribeTenant'>
  readonly clock: Pick<Clock, 'now'>
}

/**
 * Watches the viewer's jobs that currently match `filter`. Without `after`, starts with a snapshot of the unfinished
 * ones.
 * @throws {GatewayError} code INVALID_INPUT if `after` is not one of our cursors, or the filter is invalid.
 */
export type WatchJobs = (viewer: Viewer, filter: JobFilter, after: string | null) => FeedSource<JobEvent>

export function createWatchJobs({ store, bus, clock }: JobsWatcherParts): WatchJobs {
  // Subscribers that are up to date wait at the same position: one read and one event object for all of them.
  const tails = new DataLoader<TailPosition, readonly Change[]>(
    async (positions) => {
      const distinct = new Map(positions.map((position) => [keyOf(position), position]))
      const pages = new Map([...distinct].map(([key, position]) => [key, readTail(position)]))
      return Promise.all(positions.map(async (position) => pages.get(keyOf(position)) ?? []))
    },
    { cache: false, maxBatchSize: Infinity },
  )

  const readTail = async ({ tenant, after }: TailPosition) => {
    const range = { after, upTo: Number.MAX_SAFE_INTEGER, limit: CHANGES_PER_PAGE, unfinished: false }
    const changes = await store.listChanges(tenant, range)
    const now = clock.now()
    return changes.map(({ sequence, job }): Change => {
      const cursor = writeCursor(sequence, now)
      return { sequence, job, event: { kind: 'CHANGE', cursor, job, gap: false } }
    })
  }

  return (viewer, filter, after) => {
    requireScope(viewer, 'swap:read')
    checkFilter(filter)
    const cursor = after === null ? null : parseCursor(after)
    const parts = {
      store,
      readTail: async (position: TailPosition) => tails.load(position),
      bus,
      clock,
      viewer,
      filter,
    }
    return createFeedSource((notify) => new JobsFeed({ ...parts, cursor, notify }))
  }
}

function keyOf({ tenant, after }: TailPosition): string {
  return `${after} ${tenant}`
}
