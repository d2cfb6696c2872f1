import type { JobStore } from '../job-store.ts'
import { createApplyDecision } from './apply-decision.ts'
import { claimDue, claimSubmit } from './claim-jobs.ts'
import type { Engine } from './engine.ts'
import { findByUpstreamId, findJob, findJobs, findOwnJobs, listTimelines } from './find-jobs.ts'
import { readFigures } from './job-figures.ts'
import { findLastChange, listChanges, listLatestChanges } from './list-changes.ts'
import { createLists } from './lists.ts'
import { findNextWaiting } from './next-waiting.ts'
import { createRecordJobs } from './record-jobs.ts'
import { createRetention } from './retention.ts'

/** Implements the job store on any engine whose SQL has `returning`. */
export function createJobStore(engine: Engine): JobStore {
  const { db } = engine
  const recordJob = engine.queue.batch(createRecordJobs(engine.nextChange))
  return {
    createJob: async (job, room, limits) => recordJob(job.tenant, { job, room, limits }),
    applyDecision: createApplyDecision(engine),

    findJob: async (id) => findJob(db, id),
    findJobs: async (ids) => findJobs(db, ids),
    findOwnJobs: async (tenant, ids) => findOwnJobs(db, tenant, ids),
    findByUpstreamId: async (upstreamId) => findByUpstreamId(db, upstreamId),
    listTimelines: async (ids) => listTimelines(db, ids),
    // Only the database knows, as other processes may write to it.
    jobsVersion: () => null,

    findNextWaiting: async (now, refusals) => findNextWaiting(db, now, refusals),
    claimSubmit: async (job, claim) => claimSubmit(engine, job, claim),
    claimDue: async (now, until, limit) => claimDue(engine, now, until, limit),

    findLastChange: async (tenant) => findLastChange(db, tenant),
    listChanges: async (tenant, range) => listChanges(db, tenant, range),
    listLatestChanges: async (after, limit) => listLatestChanges(db, after, limit),

    readFigures: async (since) => readFigures(db, since),

    ...createRetention(engine),
    ...createLists(engine),

    ping: async () => {
      await db.selectFrom('jobs').select('id').limit(1).execute()
    },
  }
}
