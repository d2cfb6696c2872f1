import type { SqliteDatabase, SqliteStatement } from 'kysely'
import type { Database } from 'libsql'

/** Texts kept at one time. Lists of differing length make differing texts; all others are far fewer. */
const MAX_KEPT = 200

/** The database as Kysely uses it, with each text prepared once: reading a statement costs more than running it. */
export function cacheStatements(database: Database, onClose: () => void): SqliteDatabase {
  const kept = new Map<string, SqliteStatement>()
  return {
    prepare: (text) => {
      const statement = kept.get(text) ?? prepare(database, text)
      kept.delete(text)
      kept.set(text, statement)
      const [leastRecent] = kept.keys()
      if (leastRecent !== undefined && kept.size > MAX_KEPT) kept.delete(leastRecent)
      return statement
    },
    close: () => {
      database.close()
      onClose()
    },
  }
}

function prepare(database: Database, text: string): SqliteStatement {
  const statement = database.prepare(text)
  // Asked each time, and each time a call into the engine.
  const { reader } = statement
  const names = reader ? statement.columns().map(({ name }) => name) : []
  // An engine that names each value of each row takes twice as long for it.
  if (reader) statement.raw(true)
  const all = (parameters: readonly unknown[]): unknown[] =>
    statement.all(parameters).map((values: unknown) => toRow(names, Array.isArray(values) ? values : []))
  return {
    reader,
    all,
    run: (parameters) => statement.run(parameters),
    iterate: (parameters) => all(parameters)[Symbol.iterator](),
  }
}

function toRow(names: readonly string[], values: readonly unknown[]): Record<string, unknown> {
  const row: Record<string, unknown> = {}
  for (let n = 0; n < names.length; n += 1) row[names[n] ?? ''] = values[n]
  return row
}
