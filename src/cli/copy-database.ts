/** Copies an embedded database into PostgreSQL: `npm run copy-database -- <file:path> <postgres://…>`. */
import { existsSync } from 'node:fs'
import { parseSettings, SettingError } from '../config/env.ts'
import { isPostgresUrl } from '../config/settings.ts'
import { copyToPostgres, NotEmptyError } from '../store/sql/copy.ts'
import { ForeignDatabaseError } from '../store/sql/migrate.ts'
import { describeConnectProblem } from '../store/postgres/connect-problem.ts'
import { openDatabase as openPostgres } from '../store/postgres/engine.ts'
import { FileLockedError } from '../store/sqlite/file-lock.ts'
import { openDatabase as openSqlite } from '../store/sqlite/engine.ts'

const USAGE = `Usage: npm run copy-database -- file:./data/gateway.db postgres://user:password@host/database

Copies an embedded database into an empty PostgreSQL: all of it or nothing. Stop the gateway first, and start it
with DATABASE_URL=postgres://… afterwards. Keep GATEWAY_SECRET (DATA_DIR/gateway-secret): the hooks of unfinished jobs
are signed with it.`

async function main([from = '', to = '']: readonly string[]): Promise<void> {
  const path = from.replace(/^file:/, '')
  if (!from.startsWith('file:') || !isPostgresUrl(to)) throw new UsageError(USAGE)
  if (!existsSync(path)) throw new UsageError(`No database exists at ${path}.`)
  // Rejects a password that is not percent-encoded.
  parseSettings({ DATABASE_URL: to })
  const source = await openSource(path)
  try {
    const target = await openPostgres(
      to,
      () => {},
      () => {},
    ).catch((error: unknown) => {
      throw new UsageError(`PostgreSQL cannot be used: ${describeConnectProblem(error)}.`)
    })
    try {
      const counts = new Map<string, number>()
      await copyToPostgres(source, target, (table, rows) => {
        counts.set(table, rows)
        if (process.stderr.isTTY) process.stderr.write(`\r${table}: ${rows} `)
      })
      const all = [...counts].map(([table, rows]) => `${table} ${rows}`)
      process.stdout.write(`Copied: ${all.join(', ') || 'nothing, because the database is empty'}.\n`)
    } finally {
      await target.db.destroy()
    }
  } finally {
    await source.db.destroy()
  }
}

async function openSource(path: string) {
  try {
    return await openSqlite(path, () => {})
  } catch (error) {
    if (error instanceof FileLockedError) throw new UsageError(`A gateway is using ${path}. Stop it first.`)
    if (error instanceof ForeignDatabaseError) throw new UsageError(`${path} is not a database of this gateway.`)
    throw error
  }
}

class UsageError extends Error {}

main(process.argv.slice(2)).catch((error: unknown) => {
  const isSettled = [UsageError, NotEmptyError, SettingError].some((kind) => error instanceof kind)
  process.stderr.write(`${error instanceof Error ? (isSettled ? error.message : error.stack) : String(error)}\n`)
  process.exitCode = 1
})
