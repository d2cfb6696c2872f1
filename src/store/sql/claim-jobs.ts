/** Claims jobs for one process for a limited time, so that no other process does the same work. */
import type { SwapJob } from '../../domain/swap-job.ts'
import type { SubmitClaim } from '../job-store.ts'
import type { Engine } from './engine.ts'
import { toExpectedState, updateExactly } from './expected-state.ts'
import { toSwapJob } from './job-row.ts'
import { countInFlight } from './quotas.ts'

/** `JobStore.claimSubmit` in one statement, including the count of jobs in flight. */
export async function claimSubmit(
  { queue }: Pick<Engine, 'queue'>,
  job: SwapJob,
  { leaseUntil, hookAddress, maxInFlight }: SubmitClaim,
): Promise<SwapJob | null> {
  if (job.status !== 'PENDING' || job.leaseUntil !== null) return null
  const columns = {
    fencing: job.fencing + 1,
    lease_until: leaseUntil,
    wake_at: leaseUntil,
    hook_address: hookAddress,
  }
  const row = await queue.write(job.tenant, async (trx) =>
    updateExactly(trx, { ...columns, ...toExpectedState(job) })
      .where((where) => where(countInFlight(maxInFlight), '<', maxInFlight))
      .returningAll()
      .executeTakeFirst(),
  )
  return row ? toSwapJob(row) : null
}

/** `JobStore.claimDue`. */
export async function claimDue(
  { db, claim, skipLocked }: Pick<Engine, 'db' | 'claim' | 'skipLocked'>,
  now: number,
  until: number,
  limit: number,
): Promise<SwapJob[]> {
  const due = db.selectFrom('jobs').select('id').where('wake_at', '<=', now).orderBy('wake_at').limit(limit)
  if ((await due.execute()).length === 0) return []
  const rows = await claim(async (trx) =>
    trx.updateTable('jobs').set({ wake_at: until }).where('id', 'in', skipLocked(due)).returningAll().execute(),
  )
  return rows.map(toSwapJob)
}
