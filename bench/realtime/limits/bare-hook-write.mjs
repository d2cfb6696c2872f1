/** Lower limit of a hook: one fetch, and its result on disk before the response to the hook. No GraphQL. */
import { createGroupCommit, openDatabase } from '../../http/limits/durable.mjs'
import { serve } from '../../http/limits/serve.mjs'
import { setup } from '../../http/setup.mjs'
import { fetchJob } from '../../http/upstream.mjs'

const database = openDatabase()
database.exec('create table jobs (job_id text primary key, status text, result text, quota integer)')
const insert = database.prepare('insert or replace into jobs (job_id, status, result, quota) values (?, ?, ?, ?)')
const commit = createGroupCommit(database)

serve(async (body) => {
  const { jobId } = JSON.parse(body)
  const { status, data } = await fetchJob(jobId)
  await commit(() => insert.run(jobId, status, data?.cdnImage ?? null, data?.quota ?? null))
  return setup.answer.body
})
