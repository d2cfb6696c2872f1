/** Rows that are on disk before anybody hears of them, at the least cost. */
import Database from 'libsql'
import { setup } from '../setup.mjs'

export function openDatabase() {
  const database = new Database(setup.databaseFile)
  database.exec('pragma journal_mode = wal; pragma synchronous = full')
  return database
}

/**
 * What comes in one turn of the event loop shares a commit.
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
