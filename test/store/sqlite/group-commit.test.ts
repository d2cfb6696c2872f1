/** Writes to the embedded database share commits, fail one by one, and wait for other processes. */
import { join } from 'node:path'
import Database from 'libsql'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Kysely, sql, SqliteDialect } from 'kysely'
import { expect, test } from 'vitest'
import { CommitUnknownError } from '../../../src/store/job-store.ts'
import { createGroupCommit } from '../../../src/store/sqlite/group-commit.ts'
import { openDatabase } from '../../../src/store/sqlite/engine.ts'
import { createWriteLock } from '../../../src/store/sqlite/connection.ts'
import type { Tables } from '../../../src/store/sql/tables.ts'
import { closeAfterTest } from '../../support/close-after-test.ts'
import { makeDataDir } from '../../support/test-app.ts'
import { until } from '../../support/until.ts'

async function openTwice() {
  const path = join(await makeDataDir(), 'gateway.db')
  const { write, db } = await openDatabase(path, () => {})
  closeAfterTest(() => db.destroy())
  const other = new Database(path)
  closeAfterTest(async () => {
    other.close()
  })
  other.exec('create table notes (n integer primary key)')
  return {
    /** Inserts a row; resolves to all rows that this write sees, its own included. */
    keep: async (n: number) =>
      write('local', async (trx) => {
        await sql`insert into notes values (${n})`.execute(trx)
        const { rows } = await sql<{ n: number }>`select n from notes order by n`.execute(trx)
        return rows.map((row) => row.n)
      }),
    keepAndThrow: async (n: number) =>
      write('local', async (trx) => {
        await sql`insert into notes values (${n})`.execute(trx)
        throw new Error('not this one')
      }),
    read: async () => (await sql<{ n: number }>`select n from notes order by n`.execute(db)).rows.map((row) => row.n),
    other,
    seenByOther: () => (other.prepare('select n from notes order by n').all() as { n: number }[]).map((row) => row.n),
  }
}

test('writes of one turn of the event loop share a commit, and each sees those before it', async () => {
  const { keep, seenByOther } = await openTwice()
  const writes = [keep(1), keep(2), keep(3)]
  await writes[0]
  expect(seenByOther()).toEqual([1, 2, 3])
  expect(await Promise.all(writes)).toEqual([[1], [1, 2], [1, 2, 3]])
})

test('a write resolves once it is synced; until then the event loop runs and later writes wait', async () => {
  const database = new Database(':memory:')
  database.exec('create table notes (n integer primary key)')
  const syncs: (() => void)[] = []
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database }) })
  closeAfterTest(() => db.destroy())
  const { write } = createGroupCommit({
    database,
    lock: createWriteLock(database),
    db,
    dedicated: db,
    sync: async () => new Promise((resolve) => syncs.push(resolve)),
  })
  const answered: number[] = []
  const keep = async (n: number) => {
    await write('local', async () => database.prepare('insert into notes values (?)').run(n))
    answered.push(n)
  }
  const writes = [keep(1), keep(2)]
  await until(() => syncs.length === 1)
  writes.push(keep(3))
  await nextTurn()
  expect([answered, syncs.length]).toEqual([[], 1])
  syncs.shift()?.()
  await until(() => syncs.length === 1)
  expect(answered).toEqual([1, 2])
  syncs.shift()?.()
  await Promise.all(writes)
  expect(answered).toEqual([1, 2, 3])
})

test('a commit that the disk does not confirm fails as unknown, not as undone', async () => {
  const database = new Database(':memory:')
  database.exec('create table notes (n integer primary key)')
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database }) })
  closeAfterTest(() => db.destroy())
  const sync = async () => Promise.reject(new Error('EIO'))
  const { write } = createGroupCommit({ database, lock: createWriteLock(database), db, dedicated: db, sync })
  const keep = async (n: number) => write('local', async () => database.prepare('insert into notes values (?)').run(n))
  const results = await Promise.allSettled([keep(1), keep(2)])
  for (const result of results) {
    expect(result.status === 'rejected' && result.reason).toBeInstanceOf(CommitUnknownError)
  }
  expect(database.prepare('select n from notes').all()).toHaveLength(2)
})

test('only the failed write of a group is rolled back', async () => {
  const { keep, keepAndThrow, seenByOther } = await openTwice()
  const results = await Promise.allSettled([keep(1), keepAndThrow(2), keep(1), keep(3)])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
  expect(seenByOther()).toEqual([1, 3])
})

test('while another process writes, reads and the event loop continue; then all waiting writes run once', async () => {
  const { keep, read, other, seenByOther } = await openTwice()
  other.exec('begin immediate; insert into notes values (1)')
  const writes = [keep(2), keep(3)]
  expect(await read()).toEqual([])
  writes.push(keep(4))
  expect(await read()).toEqual([])
  other.exec('commit')
  await Promise.all(writes)
  expect(seenByOther()).toEqual([1, 2, 3, 4])
  // A statement that failed on the lock would stay open, and every later commit would fail.
  await keep(5)
  await keep(6)
  expect(seenByOther()).toEqual([1, 2, 3, 4, 5, 6])
})

test('every write rejects if the lock is not released, and later writes succeed', { timeout: 10_000 }, async () => {
  const { keep, other, seenByOther } = await openTwice()
  other.exec('begin immediate')
  await expect(keep(1)).rejects.toThrow('another program did not release the lock of the database')
  other.exec('rollback')
  await keep(2)
  expect(seenByOther()).toEqual([2])
})

test('a database that another program has locked is opened once the lock is free', async () => {
  const path = join(await makeDataDir(), 'gateway.db')
  const other = new Database(path)
  closeAfterTest(() => {
    other.close()
  })
  other.exec('begin exclusive')
  const opening = openDatabase(path, () => {})
  const state = await Promise.race([opening.then(() => 'open'), nextTurn('waiting')])
  other.exec('commit')
  const { db } = await opening
  closeAfterTest(() => db.destroy())
  expect(state).toBe('waiting')
})

test('many concurrent writes are committed in groups, and the event loop runs other work in between', async () => {
  const { keep, seenByOther } = await openTwice()
  const written: number[] = []
  const writes = Array.from({ length: 100 }, async (_u, n) => keep(n).then(() => written.push(n)))
  const seen = new Set<number>()
  while (written.length < 100) {
    seen.add(seenByOther().length)
    await nextTurn()
  }
  await Promise.all(writes)
  expect([...seen].filter((count) => count > 0 && count < 100).length).toBeGreaterThanOrEqual(2)
})
