import { sql } from 'kysely'
import type { JobStore } from '../../src/store/job-store.ts'
import type { Engine } from '../../src/store/sql/engine.ts'
import { createJobStore } from '../../src/store/sql/job-store.ts'
import { openDatabase } from '../../src/store/sqlite/engine.ts'
import { closeAfterTest } from './close-after-test.ts'

/** A migrated, empty database for reuse: migrating one takes longer than most unit tests. */
let spare: Engine | null = null

/** Opens the real job store over an empty in-memory SQLite database. The test may destroy the database. */
export async function openMemoryStore(): Promise<{ readonly engine: Engine; readonly store: JobStore }> {
  const engine = spare ?? (await openDatabase(':memory:', () => {}))
  spare = null
  closeAfterTest(async () => {
    if (await empty(engine)) spare = engine
  })
  return { engine, store: createJobStore(engine) }
}

/** @returns false if the database has been destroyed. */
async function empty({ db }: Engine): Promise<boolean> {
  try {
    await sql`pragma foreign_keys = off`.execute(db)
    for (const { name } of await db.introspection.getTables()) await sql`delete from ${sql.table(name)}`.execute(db)
    await sql`pragma foreign_keys = on`.execute(db)
    return true
  } catch (error) {
    if (error instanceof Error && error.message.includes('destroyed')) return false
    throw error
  }
}
