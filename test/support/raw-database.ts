/** Direct access to the gateway's database, as another program has it: a backup, an administrator, a checker. */
import Database from 'libsql'
import { Client, types } from 'pg'
import { createDatabase } from './postgres.ts'

export interface RawDatabase {
  query(statement: string): Promise<unknown[]>
  exec(...statements: readonly string[]): Promise<void>
  /** Blocks other writers until the returned function is called. */
  lockWrites(): Promise<() => Promise<void>>
  close(): Promise<void>
}

export const isOnPostgres = process.env['TEST_ENGINE'] === 'postgres'

/** Returns the `DATABASE_URL` of an empty database of the engine under test. */
export async function findDatabase(dataDir: string): Promise<{ readonly url: string; drop(): Promise<void> }> {
  return isOnPostgres ? createDatabase() : { url: `file:${dataDir}/gateway.db`, drop: async () => {} }
}

export async function openRawDatabase(url: string): Promise<RawDatabase> {
  return url.startsWith('file:') ? openFile(url.slice('file:'.length)) : openServer(url)
}

/** Opens the database, runs `work`, and closes it. */
export async function withRawDatabase<T>(url: string, work: (database: RawDatabase) => Promise<T>): Promise<T> {
  const database = await openRawDatabase(url)
  try {
    return await work(database)
  } finally {
    await database.close()
  }
}

function openFile(path: string): RawDatabase {
  const database = new Database(path)
  database.exec('pragma busy_timeout = 5000')
  const exec = async (...statements: readonly string[]) => {
    for (const statement of statements) database.exec(statement)
  }
  return {
    query: async (statement) => database.prepare(statement).all(),
    exec,
    lockWrites: async () => {
      await exec('begin immediate')
      return async () => exec('rollback')
    },
    close: async () => {
      database.close()
    },
  }
}

async function openServer(url: string): Promise<RawDatabase> {
  const client = new Client({
    connectionString: url,
    types: {
      getTypeParser: (type, format) => (type === types.builtins.INT8 ? Number : types.getTypeParser(type, format)),
    },
  })
  await client.connect()
  const exec = async (...statements: readonly string[]) => {
    for (const statement of statements) await client.query(statement)
  }
  return {
    query: async (statement) => (await client.query(statement)).rows as unknown[],
    exec,
    lockWrites: async () => {
      await exec('begin', 'lock table jobs in share row exclusive mode')
      return async () => exec('rollback')
    },
    close: async () => client.end(),
  }
}
