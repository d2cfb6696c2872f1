import type { SqliteDatabase, SqliteStatement } from 'kysely'

/** Texts of statements are few: values are bound, and only lists vary in length. */
const MAX_STATEMENTS = 200

/**
 * The same database, each text of a statement prepared once: preparing costs more than running a read by key. The
 * engine prepares again by itself when the schema has changed. The least recently used goes first.
 */
export function prepareOnce(database: SqliteDatabase): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>()
  return {
    close: () => database.close(),
    prepare: (sql) => {
      const statement = statements.get(sql) ?? toStatement(database.prepare(sql))
      statements.delete(sql)
      statements.set(sql, statement)
      const [oldest] = statements.keys()
      if (statements.size > MAX_STATEMENTS && oldest !== undefined) statements.delete(oldest)
      return statement
    },
  }
}

/** Asks the engine once whether it gives rows, not at each run. */
function toStatement(prepared: SqliteStatement): SqliteStatement {
  return {
    reader: prepared.reader,
    all: (parameters) => prepared.all(parameters),
    run: (parameters) => prepared.run(parameters),
    iterate: (parameters) => prepared.iterate(parameters),
  }
}
