/**
 * The limit of `createSwap`: the job is on disk before the upstream is asked, and the upstream's id is on disk before
 * the answer. No GraphQL, and none of the gateway's promises beside these two.
 */
import { randomUUID } from 'node:crypto'
import { submitSwap } from '../upstream.mjs'
import { createGroupCommit, openDatabase } from './durable.mjs'
import { serve } from './serve.mjs'

const database = openDatabase()
database.exec('create table jobs (id text primary key, target text, swap text, status text, job_id text)')
const insert = database.prepare("insert into jobs (id, target, swap, status) values (?, ?, ?, 'PENDING')")
const update = database.prepare("update jobs set status = 'ON_QUEUE', job_id = ? where id = ?")
const commit = createGroupCommit(database)

serve(async (body) => {
  const { targetImage, swapImage } = JSON.parse(body).variables.input
  const id = `job_${randomUUID()}`
  await commit(() => insert.run(id, targetImage.url, swapImage.url))
  const jobId = await submitSwap(targetImage.url, swapImage.url)
  await commit(() => update.run(jobId, id))
  return JSON.stringify({ data: { createSwap: { job: { id, status: 'ON_QUEUE', done: false, version: 2 } } } })
})
