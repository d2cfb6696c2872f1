import type { Webhook, WebhookAttempt } from '../../domain/webhook.ts'
import type { Engine } from './engine.ts'
import type { WebhookRow } from './tables.ts'
import type { WebhookStore } from '../webhook-store.ts'

/** Attempts that are told of one event: the last ones. */
const MAX_ATTEMPTS = 50

/** The store of webhooks over any engine of the jobs' store. */
export function createWebhookStore({
  db,
  write,
  claim,
  skipLocked,
}: Pick<Engine, 'db' | 'write' | 'claim' | 'skipLocked'>): WebhookStore {
  return {
    claimDue: async (now, until, limit, notTo) => {
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
    },

    recordAttempt: async (webhook, { at, httpStatus, error }, { state, nextAt }) =>
      write('', async (trx) => {
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
      }),

    findByJobs: async (jobIds) => {
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
        rows.map((row) => [
          row.job_id,
          { ...toWebhook(row), attempts: byEvent.get(row.id)?.slice(-MAX_ATTEMPTS) ?? [] },
        ]),
      )
      return jobIds.map((id) => byJob.get(id) ?? null)
    },

    replay: async (jobId, now) => {
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
    },
  }
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
  }
}
