import type { Kysely } from 'kysely'
import type { Webhook, WebhookAttempt, WebhookState } from '../../domain/webhook.ts'
import type { WebhookStore, WebhookWithAttempts } from '../webhook-store.ts'
import type { Engine } from './engine.ts'
import type { Tables, WebhookRow } from './tables.ts'

/** Latest attempts returned per event. */
const MAX_ATTEMPTS = 50

type Parts = Pick<Engine, 'db' | 'write' | 'claim' | 'skipLocked'>

/** Implements the webhook store on any engine. */
export function createWebhookStore(engine: Parts): WebhookStore {
  return {
    claimDue: async (now, until, limit, notTo) => claimDue(engine, now, until, limit, notTo),
    recordAttempt: async (webhook, attempt, next) => recordAttempt(engine, webhook, attempt, next),
    findByJobs: async (jobIds) => findByJobs(engine.db, jobIds),
    replay: async (jobId, now) => replay(engine, jobId, now),
  }
}

async function claimDue(
  { db, claim, skipLocked }: Parts,
  now: number,
  until: number,
  limit: number,
  notTo: readonly string[],
): Promise<Webhook[]> {
  const due = db
    .selectFrom('webhooks')
    .select('id')
    .where('next_at', '<=', now)
    .$if(notTo.length > 0, (query) => query.where('host', 'not in', notTo))
    .orderBy('next_at')
    .limit(limit)
  if ((await due.execute()).length === 0) return []
  const rows = await claim(async (trx) =>
    trx.updateTable('webhooks').set({ next_at: until }).where('id', 'in', skipLocked(due)).returningAll().execute(),
  )
  return rows.map(toWebhook)
}

async function recordAttempt(
  { write }: Pick<Engine, 'write'>,
  webhook: Webhook,
  { at, httpStatus, error }: WebhookAttempt,
  { state, nextAt }: { readonly state: WebhookState; readonly nextAt: number | null },
): Promise<boolean> {
  return write('', async (trx) => {
    await trx
      .insertInto('webhook_attempts')
      .values({ webhook_id: webhook.id, at, http_status: httpStatus, error })
      .execute()
    const row = await trx
      .updateTable('webhooks')
      .set(({ eb }) => ({ state, next_at: nextAt, tries: eb('tries', '+', 1) }))
      .where('id', '=', webhook.id)
      .where('state', '=', webhook.state)
      .where('tries', '=', webhook.tries)
      .returning('id')
      .executeTakeFirst()
    return row !== undefined
  })
}

async function findByJobs(db: Kysely<Tables>, jobIds: readonly string[]): Promise<(WebhookWithAttempts | null)[]> {
  const rows = await db.selectFrom('webhooks').selectAll().where('job_id', 'in', jobIds).execute()
  const ids = rows.map(({ id }) => id)
  const attempts =
    ids.length === 0
      ? []
      : await db.selectFrom('webhook_attempts').selectAll().where('webhook_id', 'in', ids).orderBy('at').execute()
  const byEvent = new Map<string, WebhookAttempt[]>(ids.map((id) => [id, []]))
  for (const { webhook_id, at, http_status, error } of attempts)
    byEvent.get(webhook_id)?.push({ at, httpStatus: http_status, error })
  const byJob = new Map(
    rows.map((row) => [row.job_id, { ...toWebhook(row), attempts: byEvent.get(row.id)?.slice(-MAX_ATTEMPTS) ?? [] }]),
  )
  return jobIds.map((id) => byJob.get(id) ?? null)
}

async function replay({ write }: Pick<Engine, 'write'>, jobId: string, now: number): Promise<boolean> {
  const row = await write('', async (trx) =>
    trx
      .updateTable('webhooks')
      .set({ state: 'RETRYING', next_at: now, tries: 0 })
      .where('job_id', '=', jobId)
      .where('body', '<>', '')
      .returning('id')
      .executeTakeFirst(),
  )
  return row !== undefined
}

function toWebhook(row: WebhookRow): Webhook {
  return {
    id: row.id,
    jobId: row.job_id,
    tenant: row.tenant,
    url: row.url,
    body: row.body,
    state: row.state,
    tries: row.tries,
    createdAt: row.created_at,
    traceContext: row.trace_context,
  }
}
