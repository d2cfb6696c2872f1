import type { Kysely } from 'kysely'
import type { SwapJob } from '../../domain/swap-job.ts'
import { toSwapJob } from './job-row.ts'
import type { ForgottenJob, JobStore, KeySeal } from '../job-store.ts'
import type { Engine } from './engine.ts'
import type { JobRow, Tables } from './tables.ts'

type Retention = Pick<JobStore, 'listWithoutCopy' | 'recordMirror' | 'listToForget' | 'forgetJob'>

/** The store operations after the end of a job: copies of results, and erasure. */
export function createRetention(engine: Pick<Engine, 'db' | 'write'>): Retention {
  const { db } = engine
  return {
    listWithoutCopy: async (finishedFrom, finishedBefore, limit) =>
      listWithoutCopy(db, finishedFrom, finishedBefore, limit),
    recordMirror: async (jobId, outcome) => recordMirror(engine, jobId, outcome),
    listToForget: async (now, limit) => listToForget(db, now, limit),
    forgetJob: async (jobId, at, seal) => engine.write('', async (trx) => forgetJob(trx, jobId, at, seal)),
  }
}

async function listWithoutCopy(
  db: Kysely<Tables>,
  finishedFrom: number,
  finishedBefore: number,
  limit: number,
): Promise<readonly SwapJob[]> {
  const rows = await db
    .selectFrom('jobs')
    .selectAll()
    .where('status', '=', 'SUCCESS')
    .where('copy_id', 'is', null)
    .where('mirror_failure', 'is', null)
    .where('finished_at', '>=', finishedFrom)
    .where('finished_at', '<', finishedBefore)
    .where('forgotten_at', 'is', null)
    .orderBy('finished_at')
    .limit(limit)
    .execute()
  return rows.map(toSwapJob)
}

async function recordMirror(
  { write }: Pick<Engine, 'write'>,
  jobId: string,
  outcome: Parameters<JobStore['recordMirror']>[1],
): Promise<boolean> {
  const columns = 'copyId' in outcome ? { copy_id: outcome.copyId } : { mirror_failure: outcome.failure }
  const row = await write('', async (trx) =>
    trx
      .updateTable('jobs')
      .set(columns)
      .where('id', '=', jobId)
      .where('copy_id', 'is', null)
      .where('forgotten_at', 'is', null)
      .returning('id')
      .executeTakeFirst(),
  )
  return row !== undefined
}

async function listToForget(db: Kysely<Tables>, now: number, limit: number): Promise<readonly SwapJob[]> {
  const rows = await db
    .selectFrom('jobs')
    .selectAll()
    .where('forgotten_at', 'is', null)
    .where('purge_at', '<=', now)
    .orderBy('purge_at')
    .limit(limit)
    .execute()
  return rows.map(toSwapJob)
}

async function forgetJob(trx: Kysely<Tables>, jobId: string, at: number, seal: KeySeal): Promise<ForgottenJob | null> {
  // First: no other write changes a forgotten job, so the state read here is the state that is erased.
  const before = await trx
    .updateTable('jobs')
    .set({ forgotten_at: at })
    .where('id', '=', jobId)
    .where('wake_at', 'is', null)
    .where('forgotten_at', 'is', null)
    .returningAll()
    .executeTakeFirst()
  if (!before) return null
  await trx.deleteFrom('job_tags').where('job_id', '=', jobId).execute()
  await eraseWebhook(trx, jobId)
  await sealKeys(trx, before, seal)
  const after = await trx
    .updateTable('jobs')
    .set(ERASED)
    .where('id', '=', jobId)
    .returningAll()
    .executeTakeFirstOrThrow()
  return { before: toSwapJob(before), after: toSwapJob(after) }
}

const ERASED = {
  target_image_url: '',
  swap_image_url: '',
  target_upload_id: null,
  target_result_of: null,
  swap_upload_id: null,
  swap_result_of: null,
  cdn_image: null,
  discord_image: null,
  copy_id: null,
  client_reference: null,
  tags: '[]',
  content_digest: null,
  upstream_message: null,
  hook_url: null,
  trace_context: null,
} as const

async function eraseWebhook(trx: Kysely<Tables>, jobId: string): Promise<void> {
  const ofJob = trx.updateTable('webhooks').where('job_id', '=', jobId)
  // The compare-and-set of an attempt in progress then fails, and the event stays erased.
  await ofJob.set({ state: 'EXHAUSTED' }).where('state', '<>', 'DELIVERED').execute()
  await ofJob.set({ url: '', host: '', body: '', next_at: null, trace_context: null }).execute()
}

async function sealKeys(trx: Kysely<Tables>, job: JobRow, seal: KeySeal): Promise<void> {
  const { id, tenant, hook_url: hookUrl } = job
  for (const { key, fingerprint } of await trx
    .selectFrom('idempotency_keys')
    .select(['key', 'fingerprint'])
    .where('job_id', '=', id)
    .execute()) {
    const sealed = { key: seal.sealKey(tenant, key), fingerprint: seal.sealFingerprint(fingerprint, hookUrl) }
    // A sealed key of an earlier job with the same key: it has expired.
    await trx.deleteFrom('idempotency_keys').where('tenant', '=', tenant).where('key', '=', sealed.key).execute()
    await trx
      .updateTable('idempotency_keys')
      .set(sealed)
      .where('tenant', '=', tenant)
      .where('key', '=', key)
      .where('job_id', '=', id)
      .execute()
  }
}
