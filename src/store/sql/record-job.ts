/** Records a job, where there is a place for it: the one statement of the store that looks before it writes. */
import type { Kysely } from 'kysely'
import { countOfTenant, countQueue, findSequence } from './quotas.ts'
import { type Act, type Counts, type Engine, UncertainError } from './engine.ts'
import { toNewRow, toSwapJob } from './job-row.ts'
import type { CreatedJob, Idempotency, JobStore, NewSwapJob } from '../job-store.ts'
import { compileQuery } from './compiled-query.ts'
import type { JobRow, Tables, TimelineRow } from './tables.ts'

/** How long an idempotency key is kept after its job was done. */
const KEY_KEPT_MS = 24 * 60 * 60 * 1_000

export function createRecordJob({
  writeQueue,
  nextChange,
}: Pick<Engine, 'writeQueue' | 'nextChange'>): JobStore['createJob'] {
  const insertJob = compileQuery((trx, row: Omit<JobRow, 'change_seq'>) =>
    trx.insertInto('jobs').values({ ...row, change_seq: nextChange() }),
  )

  return (job, room, limits) => {
    const { idempotency } = job
    const create: Act<CreatedJob> = async (trx, unseen, counts) => {
      if (idempotency) {
        const holder = await findByKey(trx, job.tenant, idempotency)
        const isExpired = holder?.row.finished_at != null && holder.row.finished_at + KEY_KEPT_MS <= job.createdAt
        if (holder && !isExpired) {
          return { kind: 'existing', job: toSwapJob(holder.row), fingerprint: holder.fingerprint }
        }
      }
      if (job.content.reuseSince !== null) {
        if (unseen > 0) throw new UncertainError()
        const same = await findSameContent(trx, job.tenant, job.content.digest, job.content.reuseSince)
        if (same) return { kind: 'sameContent', job: toSwapJob(same) }
      }
      const [ofTenant, ofQueue] = await Promise.all([
        countOnce(counts, `tenant ${job.tenant}`, async () => countOfTenant(trx, job.tenant, limits)),
        countOnce(counts, 'queue', async () => countQueue(trx, room, job.createdAt)),
      ])
      const place = findSequence(ofTenant, ofQueue, room, limits, 0)
      if (place.kind !== findSequence(ofTenant, ofQueue, room, limits, unseen).kind) throw new UncertainError()
      if (place.kind !== 'free' && place.kind !== 'queue') return place
      const row = toNewRow(job, place.kind === 'free' && job.leaseUntil !== null)
      // Behind it, without waiting for its answer.
      await Promise.all([insertJob(trx, row), ...insertParts(trx, job)])
      return { kind: 'created', job: toSwapJob(row) }
    }
    return writeQueue(job.tenant, create, idempotency && JSON.stringify([job.tenant, idempotency.key]))
  }
}

const insertEntry = compileQuery((trx, entry: TimelineRow) => trx.insertInto('job_timeline').values(entry))

/** What stands in other tables of a job that is recorded. */
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

/** One that ended without a result would be no use to whoever asks again. */
async function findSameContent(trx: Kysely<Tables>, tenant: string, digest: string, since: number) {
  return trx
    .selectFrom('jobs')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('content_digest', '=', digest)
    .where('created_at', '>=', since)
    .where('status', 'not in', ['FAILED', 'CANCELED', 'LOST'])
    .where('forgotten_at', 'is', null)
    .orderBy('created_at', 'desc')
    .limit(1)
    .executeTakeFirst()
}

async function findByKey(trx: Kysely<Tables>, tenant: string, { key, sealedKeys }: Idempotency) {
  const rows = await trx
    .selectFrom('idempotency_keys')
    .innerJoin('jobs', 'jobs.id', 'idempotency_keys.job_id')
    .selectAll('jobs')
    .select(['idempotency_keys.fingerprint', 'idempotency_keys.key'])
    .where('idempotency_keys.tenant', '=', tenant)
    .where('idempotency_keys.key', 'in', [key, ...sealedKeys])
    .execute()
  // A sealed key beside the key itself is of an earlier job.
  const row = rows.find((one) => one.key === key) ?? rows[0]
  if (!row) return null
  const { fingerprint, key: _key, ...jobRow } = row
  return { row: jobRow, fingerprint }
}

/** Those who begin together find the same: each takes those before it into account by itself. */
async function countOnce<T>(counts: Counts, what: string, count: () => Promise<T>): Promise<T> {
  const known = counts.get(what)
  // Whatever is kept under a name is of one kind.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  if (known) return known as Promise<T>
  const counted = count()
  counts.set(what, counted)
  return counted
}
