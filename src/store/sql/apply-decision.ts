/** Writes a decision about a job by compare-and-set, with its timeline entry and its webhook. */
import { sql } from 'kysely'
import type { SwapJob } from '../../domain/swap-job.ts'
import { settleAll } from '../../lib/async/settle-all.ts'
import { type JobStore, UpstreamIdTakenError } from '../job-store.ts'
import { compileQuery } from './compiled-query.ts'
import type { Engine } from './engine.ts'
import { type Change, toExpectedState, updateExactly } from './expected-state.ts'
import { BOOKKEEPING_COLUMNS, toChangedJob, toNewWebhook, toPatchColumns } from './job-row.ts'
import type { Tables } from './tables.ts'

export function createApplyDecision(engine: Engine): JobStore['applyDecision'] {
  const moveExactly = compileQuery((trx, change: Change) =>
    updateExactly(trx, { ...change, change_seq: engine.nextChange() }).returning(BOOKKEEPING_COLUMNS),
  )

  return async (job, decision, at, source, webhook) => {
    // Mutated here and below: copying the object for each addition takes microseconds.
    const columns = toPatchColumns(decision.patch)
    if (decision.kind === 'bookkeeping') {
      const change = Object.assign(columns, toExpectedState(job))
      const [row] = await engine.write(job.tenant, async (trx) => applyBookkeeping(trx, change))
      return row ? toChangedJob(job, row, job, decision.patch) : null
    }
    const version = job.version + 1
    const moved: Pick<SwapJob, 'status' | 'version' | 'updatedAt'> = { status: decision.to, version, updatedAt: at }
    const change = Object.assign(columns, { status: decision.to, version, updated_at: at }, toExpectedState(job))
    try {
      const row = await engine.write(job.tenant, async (trx) => {
        const entry = { job_id: job.id, version, status: decision.to, at, source, movedTo: version }
        const [[found]] = await settleAll([
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
  }
}

const applyBookkeeping = compileQuery((db, change: Change) => updateExactly(db, change).returning(BOOKKEEPING_COLUMNS))

const insertEntryWhenMoved = compileInsertWhenMoved('job_timeline')
const insertWebhookWhenMoved = compileInsertWhenMoved('webhooks')

/**
 * Inserts a row of a transition if the job has reached the transition's version. Sent right after the transition,
 * without waiting for its result. If another process has made the transition, the row already exists.
 */
function compileInsertWhenMoved<Table extends 'job_timeline' | 'webhooks'>(table: Table) {
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
