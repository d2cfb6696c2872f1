/** The database and the hook journal that a released version left, recorded as JSON; restored into the engine under test. */
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Kysely, type Migration, Migrator, PostgresDialect, SqliteDialect } from 'kysely'
import Database from 'libsql'
import { Pool } from 'pg'
import { migrations as postgresMigrations } from '../../src/store/postgres/migrations.ts'
import { migrations as sqliteMigrations } from '../../src/store/sqlite/migrations.ts'
import { isOnPostgres, withRawDatabase } from './raw-database.ts'

type Value = string | number | null
export type Row = Readonly<Record<string, Value>>

export interface ReleasedDatabase {
  readonly lastMigration: string
  /** Epoch milliseconds. */
  readonly recordedAt: number
  readonly gatewaySecret: string
  /** The jobs by their client references, which say what they went through. */
  readonly jobIds: Readonly<Record<string, string>>
  /** Content of `hooks.journal`. */
  readonly journal: string
  /** Without the sums, which triggers maintain. */
  readonly tables: Readonly<Record<string, readonly Row[]>>
}

const TIME_COLUMN = /(?:_at|_until|^at|^not_before)$/
/** Times are shifted by whole steps of the sums. */
const STEP_MS = 15 * 60 * 1_000

export function readReleasedDatabase(version: string): ReleasedDatabase {
  return JSON.parse(readFileSync(`test/store/released/${version}.json`, 'utf8')) as ReleasedDatabase
}

/**
 * Creates the tables as the version's migrations did, and inserts its rows, as if they had been recorded just now.
 * @param databaseUrl of an empty database.
 */
export async function restoreReleasedDatabase(
  released: ReleasedDatabase,
  databaseUrl: string,
  dataDir: string,
): Promise<void> {
  await migrateTo(released.lastMigration, databaseUrl)
  const elapsed = Date.now() - released.recordedAt
  const shift = elapsed - (elapsed % STEP_MS)
  await withRawDatabase(databaseUrl, async ({ exec }) => {
    for (const [table, rows] of Object.entries(released.tables)) {
      await exec(...rows.map((row) => toInsert(table, row, shift)))
    }
    if (isOnPostgres) await exec(`select setval('job_changes', (select max(change_seq) from jobs))`)
  })
  await writeFile(join(dataDir, 'hooks.journal'), released.journal)
}

function toInsert(table: string, row: Row, shift: number): string {
  const values = Object.entries(row).map(([name, value]) => {
    if (value === null) return 'null'
    if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`
    return String(value !== 0 && TIME_COLUMN.test(name) ? value + shift : value)
  })
  return `insert into ${table} (${Object.keys(row).join()}) values (${values.join()})`
}

async function migrateTo(name: string, databaseUrl: string): Promise<void> {
  const dialect = isOnPostgres
    ? new PostgresDialect({ pool: new Pool({ connectionString: databaseUrl }) })
    : new SqliteDialect({ database: new Database(databaseUrl.slice('file:'.length)) })
  const migrations: Record<string, Migration> = isOnPostgres ? postgresMigrations : sqliteMigrations
  const db = new Kysely<unknown>({ dialect })
  try {
    const provider = { getMigrations: async () => migrations }
    const { error } = await new Migrator({ db, provider }).migrateTo(name)
    if (error) throw error
  } finally {
    await db.destroy()
  }
}
