import { toSwapJob } from './job-row.ts'
import type { JobStore } from './job-store.ts'
import type { Engine } from './engine.ts'

type Keeping = Pick<JobStore, 'listWithoutCopy' | 'noteMirror' | 'listToForget' | 'forgetJob'>

/** What the store of jobs does for what is kept of a job after its end: the copy of its result, and its erasure. */
export function createKeeping({ db, write }: Pick<Engine, 'db' | 'write'>): Keeping {
  return {
    listWithoutCopy: async (finishedFrom, finishedBefore, limit) => {
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
    },

    noteMirror: async (jobId, outcome) => {
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
    },

    listToForget: async (now, limit) => {
      const rows = await db
        .selectFrom('jobs')
        .selectAll()
        .where('forgotten_at', 'is', null)
        .where('purge_at', '<=', now)
        .orderBy('purge_at')
        .limit(limit)
        .execute()
      return rows.map(toSwapJob)
    },

    forgetJob: async (jobId, at) => {
      const row = await write('', async (trx) => {
        await trx.deleteFrom('job_tags').where('job_id', '=', jobId).execute()
        await trx.updateTable('webhooks').set({ body: '', next_at: null }).where('job_id', '=', jobId).execute()
        return trx
          .updateTable('jobs')
          .set({
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
            forgotten_at: at,
          })
          .where('id', '=', jobId)
          .where('wake_at', 'is', null)
          .where('forgotten_at', 'is', null)
          .returningAll()
          .executeTakeFirst()
      })
      return row ? toSwapJob(row) : null
    },
  }
}
