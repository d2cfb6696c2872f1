import { type Kysely, sql, type UpdateObject } from 'kysely'
import type { SwapJob, TimelineEntry } from '../../domain/swap-job.ts'
import { countInFlight, isUnfinished, isWaiting } from './quotas.ts'
import type { Engine } from './engine.ts'
import { BOOKKEEPING_COLUMNS, toChangedJob, toNewWebhook, toPatchColumns, toSwapJob } from './job-row.ts'
import { createRetention } from './retention.ts'
import { createLists } from './lists.ts'
import { type JobStore, UpstreamIdTakenError } from '../job-store.ts'
import { selectNextWaiting } from './next-waiting.ts'
import { compileQuery } from './compiled-query.ts'
import { createRecordJobs } from './record-jobs.ts'
import type { Tables } from './tables.ts'

/** Reads of so many jobs at most are kept as text. */
const MAX_KEPT_IDS = 100

/** The store of jobs over any engine that Kysely speaks to and that has `returning`. */
export function createJobStore(engine: Engine): JobStore {
  const { db, write, queue } = engine
  const recordJob = queue.batch(createRecordJobs(engine.nextChange))

  const moveExactly = compileQuery((trx, change: Change) =>
    updateExactly(trx, { ...change, change_seq: engine.nextChange() }).returning(BOOKKEEPING_COLUMNS),
  )

  return {
    createJob: async (job, room, limits) => recordJob(job.tenant, { job, room, limits }),

    findJob: async (id) => {
      const [row] = await selectJob(db, { id })
      return row ? toSwapJob(row) : null
    },

    findOwnJobs: async (tenant, ids) => {
      // One index after the other: what looks for either kind of id at once searches both for every one.
      const byId =
        ids.length <= MAX_KEPT_IDS
          ? await selectOwnJobs(db, { tenant, ...Object.fromEntries(ids.entries()) })
          : await ownJobs(db, tenant, ids).execute()
      const found = new Map(byId.map((row) => [row.id, row]))
      const others = ids.filter((id) => !found.has(id))
      const byUpstreamId =
        others.length > 0
          ? await db
              .selectFrom('jobs')
              .selectAll()
              .where('tenant', '=', tenant)
              .where('upstream_id', 'in', others)
              .execute()
          : []
      for (const row of byUpstreamId) if (row.upstream_id !== null) found.set(row.upstream_id, row)
      return ids.map((id) => {
        const row = found.get(id)
        return row ? toSwapJob(row) : null
      })
    },

    jobsVersion: () => null,

    findJobs: async (ids) => {
      const rows = await db.selectFrom('jobs').selectAll().where('id', 'in', ids).execute()
      const found = new Map(rows.map((row) => [row.id, toSwapJob(row)]))
      return ids.map((id) => found.get(id) ?? null)
    },

    findByUpstreamId: async (upstreamId) => {
      const row = await db.selectFrom('jobs').selectAll().where('upstream_id', '=', upstreamId).executeTakeFirst()
      return row ? toSwapJob(row) : null
    },

    listTimelines: async (ids) => {
      const rows = await db
        .selectFrom('job_timeline')
        .selectAll()
        .where('job_id', 'in', ids)
        .orderBy('job_id')
        .orderBy('version')
        .execute()
      const byJob = new Map<string, TimelineEntry[]>(ids.map((id) => [id, []]))
      for (const { job_id, version, status, at, source } of rows)
        byJob.get(job_id)?.push({ version, status, at, source })
      return ids.map((id) => byJob.get(id) ?? [])
    },

    applyDecision: async (job, decision, at, source, webhook) => {
      // Added to what is there, here and below: a copy that is given more members costs microseconds.
      const columns = toPatchColumns(decision.patch)
      if (decision.kind === 'bookkeeping') {
        const change = Object.assign(columns, toWas(job))
        const [row] = await write(job.tenant, async (trx) => applyBookkeeping(trx, change))
        return row ? toChangedJob(job, row, job, decision.patch) : null
      }
      const version = job.version + 1
      const moved = { status: decision.to, version, updatedAt: at }
      const change = Object.assign(columns, { status: decision.to, version, updated_at: at }, toWas(job))
      try {
        const row = await write(job.tenant, async (trx) => {
          const entry = { job_id: job.id, version, status: decision.to, at, source, movedTo: version }
          const [[found]] = await Promise.all([
            moveExactly(trx, change),
            insertEntryWhenMoved(trx, entry),
            webhook && insertWebhookWhenMoved(trx, { ...toNewWebhook(job, webhook, at), movedTo: version }),
          ])
          return found
        })
        return row ? toChangedJob(job, row, moved, decision.patch) : null
      } catch (error) {
        throw engine.isUpstreamIdTaken(error) ? new UpstreamIdTakenError() : error
      }
    },

    findNextWaiting: async (now, refusals) => {
      // Mostly nothing waits, and then that is all there is to ask.
      const [some] = await selectSomeWaiting(db, {})
      if (!some) return null
      const [row] = await selectNextWaiting(db, { now, ...refusals })
      return row ? toSwapJob(row) : null
    },

    claimSubmit: async (job, claim) => {
      if (job.status !== 'PENDING' || job.leaseUntil !== null) return null
      const columns = {
        fencing: job.fencing + 1,
        lease_until: claim.leaseUntil,
        wake_at: claim.leaseUntil,
        hook_address: claim.hookAddress,
      }
      const row = await queue.write(job.tenant, async (trx) =>
        updateExactly(trx, { ...columns, ...toWas(job) })
          .where((where) => where(countInFlight(claim.maxInFlight), '<', claim.maxInFlight))
          .returningAll()
          .executeTakeFirst(),
      )
      return row ? toSwapJob(row) : null
    },

    claimDue: async (now, until, limit) => {
      const due = db.selectFrom('jobs').select('id').where('wake_at', '<=', now).orderBy('wake_at').limit(limit)
      if ((await due.execute()).length === 0) return []
      const rows = await engine.claim(async (trx) =>
        trx
          .updateTable('jobs')
          .set({ wake_at: until })
          .where('id', 'in', engine.skipLocked(due))
          .returningAll()
          .execute(),
      )
      return rows.map(toSwapJob)
    },

    findLastChange: async (tenant) => {
      const { sequence } = await db
        .selectFrom('jobs')
        .select(({ fn }) => fn.max<number | null>('change_seq').as('sequence'))
        .where('tenant', '=', tenant)
        .executeTakeFirstOrThrow()
      return sequence ?? 0
    },

    listChanges: async (tenant, { after, upTo, limit, unfinished }) => {
      const rows = await db
        .selectFrom('jobs')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('change_seq', '>', after)
        .where('change_seq', '<=', upTo)
        .$if(unfinished, (query) => query.where(isUnfinished))
        .orderBy('change_seq')
        .limit(limit)
        .execute()
      return rows.map((row) => ({ sequence: row.change_seq, job: toSwapJob(row) }))
    },

    listLatestChanges: async (after, limit) =>
      db
        .selectFrom('jobs')
        .select(['change_seq as sequence', 'id', 'tenant'])
        .where('change_seq', '>', after)
        .orderBy('change_seq', 'desc')
        .limit(limit)
        .execute(),

    ...createRetention(engine),
    ...createLists(engine),

    ping: async () => {
      await db.selectFrom('jobs').select('id').limit(1).execute()
    },
  }
}

function ownJobs(db: Kysely<Tables>, tenant: string, ids: readonly string[]) {
  return db.selectFrom('jobs').selectAll().where('tenant', '=', tenant).where('id', 'in', ids)
}

/** Once for each number of ids, which stand under their places. */
const selectOwnJobs = compileQuery(
  (db, { tenant, ...ids }: { readonly tenant: string; readonly [place: number]: string }) =>
    ownJobs(db, tenant, Object.values(ids)),
)

const selectJob = compileQuery((db, { id }: { readonly id: string }) =>
  db.selectFrom('jobs').selectAll().where('id', '=', id),
)

const selectSomeWaiting = compileQuery((db, _values: object) =>
  db
    .selectFrom('jobs')
    .select(({ lit }) => lit(1).as('one'))
    .where(isWaiting)
    .limit(1),
)

/** A row as it was when a change of it was decided on. */
interface Was {
  readonly wasId: string
  readonly wasVersion: number
  readonly wasFencing: number
  /** Whether it had a lease. */
  readonly wasClaimed: 0 | 1
}

function toWas({ id, version, fencing, leaseUntil }: SwapJob): Was {
  return { wasId: id, wasVersion: version, wasFencing: fencing, wasClaimed: leaseUntil === null ? 0 : 1 }
}

type Change = Was & UpdateObject<Tables, 'jobs'>

/** Updates the row if it has the same version and the same claim as before: a released claim keeps its fencing number. */
function updateExactly(db: Kysely<Tables>, { wasId, wasVersion, wasFencing, wasClaimed, ...columns }: Change) {
  return db
    .updateTable('jobs')
    .set(columns)
    .where('id', '=', wasId)
    .where('version', '=', wasVersion)
    .where('fencing', '=', wasFencing)
    .where(sql`case when lease_until is null then 0 else 1 end`, '=', wasClaimed)
}

const applyBookkeeping = compileQuery((db, change: Change) => updateExactly(db, change).returning(BOOKKEEPING_COLUMNS))

const insertEntryWhenMoved = prepareInsertWhenMoved('job_timeline')
const insertWebhookWhenMoved = prepareInsertWhenMoved('webhooks')

/**
 * Writes what belongs to a change, behind it and without waiting for its answer. Where somebody else has made the change
 * the row is there already.
 */
function prepareInsertWhenMoved<Table extends 'job_timeline' | 'webhooks'>(table: Table) {
  return compileQuery((db, { movedTo, ...row }: Tables[Table] & { readonly movedTo: number }) => {
    const names = Object.keys(row).map((name) => sql.ref(name))
    const insert = sql`
      insert into ${sql.table(table)} (${sql.join(names)})
      select ${sql.join(Object.values(row))} from jobs where id = ${row.job_id} and version = ${movedTo}
      on conflict do nothing
    `
    return { compile: () => insert.compile(db) }
  })
}
