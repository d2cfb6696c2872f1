/**
 * The limit of `createSwap`: the job is on disk before the upstream is asked, and the upstream's id is on disk before
 * the answer. No GraphQL, and none of the gateway's promises beside these two.
 */
import { randomUUID } from 'node:crypto'
import Database from 'libsql'
import { submitSwap } from '../upstream.mjs'
import { setup } from '../setup.mjs'
import { serve } from './serve.mjs'

const database = new Database(setup.databaseFile)
database.exec('pragma journal_mode = wal; pragma synchronous = full')
database.exec('create table jobs (id text primary key, target text, swap text, status text, job_id text)')
const insert = database.prepare("insert into jobs (id, target, swap, status) values (?, ?, ?, 'PENDING')")
const update = database.prepare("update jobs set status = 'ON_QUEUE', job_id = ? where id = ?")

/** @type {{ write: () => void, resolve: () => void }[]} */
let waiting = []
const commitAll = database.transaction((/** @type {typeof waiting} */ group) => {
  for (const { write } of group) write()
})

/**
 * On disk when it resolves. What comes in one turn of the event loop shares a commit.
 * @param {() => void} write
 */
async function commit(write) {
  await new Promise((resolve) => {
    if (waiting.push({ write, resolve: () => resolve(null) }) > 1) return
    setImmediate(() => {
      const group = waiting
      waiting = []
      commitAll(group)
      for (const one of group) one.resolve()
    })
  })
}

serve(async (body) => {
  const { targetImage, swapImage } = JSON.parse(body).variables.input
  const id = `job_${randomUUID()}`
  await commit(() => insert.run(id, targetImage.url, swapImage.url))
  const jobId = await submitSwap(targetImage.url, swapImage.url)
  await commit(() => update.run(jobId, id))
  return JSON.stringify({ data: { createSwap: { job: { id, status: 'ON_QUEUE', done: false, version: 2 } } } })
})
