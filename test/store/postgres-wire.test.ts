/** A failing connection to PostgreSQL fails statements, and does nothing else to the process. */
import { expect, test } from 'vitest'
import { sql } from 'kysely'
import { CommitUnknownError } from '../../src/store/job-store.ts'
import { openDatabase } from '../../src/store/postgres/engine.ts'
import { openWireTo } from '../support/fault-proxy.ts'
import { createDatabase } from '../support/postgres.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { until } from '../support/until.ts'

async function openThroughWire() {
  const { url, drop } = await createDatabase()
  closeAfterTest(drop)
  const { wire, through } = await openWireTo(url)
  closeAfterTest(() => wire.close())
  const lost: Error[] = []
  const { db, write } = await openDatabase(
    through,
    () => {},
    (error) => lost.push(error),
  )
  closeAfterTest(() => db.destroy())
  return { db, write, wire, lost }
}

test('a connection that is cut between two statements of a transaction fails that transaction alone', async () => {
  const { write, wire, lost } = await openThroughWire()
  const held = write('local', async (trx) => {
    await sql`create table notes (n integer)`.execute(trx)
    await wire.fail({ kind: 'reset' })
    await until(() => lost.length > 0)
    await sql`insert into notes values (1)`.execute(trx)
  })
  await expect(held).rejects.toThrow(/connection|ECONNRESET/i)
  await wire.heal()
  await write('local', async (trx) => sql`create table notes (n integer)`.execute(trx))
})

test('idle connections that are cut are replaced', async () => {
  const { db, wire, lost } = await openThroughWire()
  await sql`select 1`.execute(db)
  await wire.fail({ kind: 'reset' })
  await until(() => lost.length > 0)
  await wire.heal()
  expect((await sql`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }])
})

test('a statement fails with a timeout when the database stops responding', async () => {
  const { db, wire } = await openThroughWire()
  await wire.fail({ kind: 'blackHole', direction: 'both' })
  await expect(sql`select 1`.execute(db)).rejects.toThrow(/timeout/i)
  await wire.heal()
})

test.each(['before', 'after'] as const)(
  'a write whose connection is cut %s the database has its commit is applied exactly once',
  async (when) => {
    const { db, write, wire } = await openThroughWire()
    await sql`create table notes (n integer)`.execute(db)
    await wire.fail({ kind: 'resetAt', text: 'commit\0', when })
    const add = async (n: number) =>
      write('local', async (trx) => (await sql`insert into notes values (${n}) returning n`.execute(trx)).rows)
    // The second and third write share a commit, after the one whose connection is cut.
    expect(await Promise.all([add(1), add(2), add(3)])).toEqual([[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]])
    expect((await sql`select n from notes order by n`.execute(db)).rows).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
  },
)

test('a commit whose outcome cannot be determined fails as unknown', async () => {
  const { db, write, wire } = await openThroughWire()
  await sql`create table notes (n integer)`.execute(db)
  const first = write('local', async (trx) => {
    await sql`insert into notes values (1)`.execute(trx)
    await wire.fail({ kind: 'resetAt', text: 'commit\0', when: 'after', thenRefuses: true })
  })
  await expect(first).rejects.toBeInstanceOf(CommitUnknownError)
  await wire.heal()
  expect((await sql`select n from notes`.execute(db)).rows).toEqual([{ n: 1 }])
})
