/** Writes rows to disk before the response, at minimal cost. */
import Database from 'libsql'
import { setup } from '../setup.mjs'

export function openDatabase() {
  // Each process has its own database.
  const database = new Database(`${setup.databaseFile}-${process.pid}`)
  database.exec('pragma journal_mode = wal; pragma synchronous = full')
  return database
}

/**
 * Group commit: all writes of one turn of the event loop share a commit.
 * @param {import('libsql').Database} database
 * @returns {(write: () => void) => Promise<void>} on disk when it resolves
 */
export function createGroupCommit(database) {
  /** @type {{ write: () => void, resolve: () => void }[]} */
  let waiting = []
  const commitAll = database.transaction((/** @type {typeof waiting} */ group) => {
    for (const { write } of group) write()
  })
  return async (write) => {
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
}

/** Stores jobs before their submit, and the upstream's id after it. */
export function openJobs() {
  const database = openDatabase()
  database.exec('create table jobs (id text primary key, target text, swap text, status text, job_id text)')
  const insert = database.prepare("insert into jobs (id, target, swap, status) values (?, ?, ?, 'PENDING')")
  const update = database.prepare("update jobs set status = 'ON_QUEUE', job_id = ? where id = ?")
  const commit = createGroupCommit(database)
  return {
    /**
     * @param {string} id
     * @param {string} targetImage
     * @param {string} swapImage
     */
    record: async (id, targetImage, swapImage) => commit(() => insert.run(id, targetImage, swapImage)),
    /**
     * @param {string} id
     * @param {string} jobId the upstream's
     */
    accept: async (id, jobId) => commit(() => update.run(jobId, id)),
  }
}
