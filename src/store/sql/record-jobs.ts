/**
 * Records the jobs of a batch, in order, as if each were recorded alone. It reads the database once, decides in memory,
 * and inserts the admitted jobs without waiting between the statements.
 */
import type { Expression, Kysely } from 'kysely'
import type { SwapJob } from '../../domain/swap-job.ts'
import { settleAll } from '../../lib/async/settle-all.ts'
import { BatchAdmission, isClaimed, type JobRequest } from './admission.ts'
import { compileQuery } from './compiled-query.ts'
import type { BatchAct } from './grouped-writes.ts'
import { toNewRow, toSwapJob } from './job-row.ts'
import type { CreatedJob, Idempotency, NewSwapJob } from '../job-store.ts'
import type { JobRow, Tables, TimelineRow } from './tables.ts'

/** How long an idempotency key is valid after its job is done. */
const KEY_KEPT_MS = 24 * 60 * 60 * 1_000

type NewRow = Omit<JobRow, 'change_seq'>

/** The job created with an idempotency key. */
interface Holder {
  readonly job: SwapJob
  readonly fingerprint: string
}

/** @param nextChange `Engine.nextChange`. */
export function createRecordJobs(nextChange: () => Expression<number>): BatchAct<JobRequest, CreatedJob> {
  const insertJob = compileQuery((trx, row: NewRow) =>
    trx.insertInto('jobs').values({ ...row, change_seq: nextChange() }),
  )

  return async (trx, requests) => {
    const [admission, holders, sameContent] = await settleAll([
      BatchAdmission.open(trx, requests),
      settleAll(requests.map(({ job }) => job.idempotency && findHolder(trx, job, job.idempotency))),
      settleAll(requests.map(({ job }) => job.content.reuseSince && findSameContent(trx, job, job.content.reuseSince))),
    ])
    const recorded = new RecordedJobs()
    const inserts: Promise<unknown>[] = []
    const outcomes = requests.map((request, n): CreatedJob => {
      const { job } = request
      const holder = recorded.findHolder(job) ?? holders[n]
      if (holder) return { kind: 'existing', ...holder }
      const same = recorded.findSameContent(job) ?? sameContent[n]
      if (same) return { kind: 'sameContent', job: same }
      const admitted = admission.admit(request)
      if (admitted.kind !== 'free' && admitted.kind !== 'queue') return admitted
      const row = toNewRow(job, isClaimed(admitted, job))
      inserts.push(insertJob(trx, row), ...insertParts(trx, job))
      return { kind: 'created', job: recorded.add(job, row) }
    })
    await settleAll(inserts)
    return outcomes
  }
}

/** The jobs recorded so far, against which later jobs of the batch are checked. Few, so searched linearly. */
class RecordedJobs {
  readonly #jobs: { readonly given: NewSwapJob; readonly job: SwapJob }[] = []

  add(given: NewSwapJob, row: NewRow): SwapJob {
    const job = toSwapJob(row)
    this.#jobs.push({ given, job })
    return job
  }

  findHolder({ tenant, idempotency }: NewSwapJob): Holder | null {
    if (!idempotency) return null
    const isHolder = ({ given }: { readonly given: NewSwapJob }) =>
      given.idempotency?.key === idempotency.key && given.tenant === tenant
    const found = this.#jobs.find(isHolder)
    return found?.given.idempotency ? { job: found.job, fingerprint: found.given.idempotency.fingerprint } : null
  }

  findSameContent({ tenant, content: { digest, reuseSince } }: NewSwapJob): SwapJob | null {
    if (reuseSince === null) return null
    const isSame = ({ given }: { readonly given: NewSwapJob }) =>
      given.content.digest === digest && given.tenant === tenant && given.createdAt >= reuseSince
    return this.#jobs.findLast(isSame)?.job ?? null
  }
}

const insertEntry = compileQuery((trx, entry: TimelineRow) => trx.insertInto('job_timeline').values(entry))

/** Inserts a new job's rows of other tables. */
function insertParts(
  trx: Kysely<Tables>,
  { id, tenant, createdAt, tags, idempotency }: NewSwapJob,
): Promise<unknown>[] {
  const parts: Promise<unknown>[] = [
    insertEntry(trx, { job_id: id, version: 1, status: 'PENDING', at: createdAt, source: 'CALLER' }),
  ]
  if (tags.length > 0) {
    const rows = [...new Set(tags)].map((tag) => ({ job_id: id, tenant, tag, created_at: createdAt }))
    parts.push(trx.insertInto('job_tags').values(rows).execute())
  }
  if (idempotency) {
    const { key, fingerprint } = idempotency
    parts.push(
      trx
        .insertInto('idempotency_keys')
        .values({ tenant, key, fingerprint, job_id: id })
        .onConflict((conflict) => conflict.columns(['tenant', 'key']).doUpdateSet({ fingerprint, job_id: id }))
        .execute(),
    )
  }
  return parts
}

/**
 * The tenant's latest job with the same images since then; jobs that ended without a result or were forgotten do not
 * count.
 */
async function findSameContent(
  trx: Kysely<Tables>,
  { tenant, content }: NewSwapJob,
  since: number,
): Promise<SwapJob | null> {
  const row = await trx
    .selectFrom('jobs')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('content_digest', '=', content.digest)
    .where('created_at', '>=', since)
    .where('status', 'not in', ['FAILED', 'CANCELED', 'LOST'])
    .where('forgotten_at', 'is', null)
    .orderBy('created_at', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row ? toSwapJob(row) : null
}

async function findHolder(
  trx: Kysely<Tables>,
  { tenant, createdAt }: NewSwapJob,
  { key, sealedKeys }: Idempotency,
): Promise<Holder | null> {
  const rows = await trx
    .selectFrom('idempotency_keys')
    .innerJoin('jobs', 'jobs.id', 'idempotency_keys.job_id')
    .selectAll('jobs')
    .select(['idempotency_keys.fingerprint', 'idempotency_keys.key'])
    .where('idempotency_keys.tenant', '=', tenant)
    .where('idempotency_keys.key', 'in', [key, ...sealedKeys])
    .execute()
  // If a sealed key is stored besides the key itself, it belongs to an earlier job.
  const row = rows.find((one) => one.key === key) ?? rows[0]
  if (!row) return null
  const isExpired = row.finished_at !== null && row.finished_at + KEY_KEPT_MS <= createdAt
  return isExpired ? null : { job: toSwapJob(row), fingerprint: row.fingerprint }
}
