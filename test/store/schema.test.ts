/** Compares the schema that the migrations create in an empty PostgreSQL with the reviewed dump. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { openDatabase as openPostgres } from '../../src/store/postgres/engine.ts'
import { openDatabase as openSqlite } from '../../src/store/sqlite/engine.ts'
import { createDatabase } from '../support/postgres.ts'
import { closeAfterTest } from '../support/close-after-test.ts'

async function open() {
  const { url, drop } = await createDatabase()
  closeAfterTest(drop)
  const { db } = await openPostgres(
    url,
    () => {},
    () => {},
  )
  closeAfterTest(() => db.destroy())
  return db
}

test('the migrations create the schema in postgres-schema.txt, so that review sees every change', async () => {
  const db = await open()
  const { rows } = await sql<{ line: string }>`
    select table_name || '.' || column_name || ' ' || data_type || case is_nullable when 'NO' then ' not null' else '' end as line
    from information_schema.columns where table_schema = 'public' and table_name not like 'kysely%'
    union all select indexdef from pg_indexes where schemaname = 'public' and tablename not like 'kysely%'
    union all select 'trigger ' || tgname || ' on ' || tgrelid::regclass from pg_trigger where not tgisinternal
    union all select 'sequence ' || sequencename from pg_sequences where schemaname = 'public'
  `.execute(db)
  const dump = rows.map(({ line }) => `${line}\n`).toSorted()
  await expect(dump.join('')).toMatchFileSnapshot('postgres-schema.txt')
})

test('both engines have the same tables with the same columns', async () => {
  const postgres = await open()
  const { db: sqlite } = await openSqlite(':memory:', () => {})
  closeAfterTest(() => sqlite.destroy())
  for (const table of ['jobs', 'job_timeline', 'idempotency_keys']) {
    const there = await sql<{ name: string }>`
      select column_name as name from information_schema.columns where table_name = ${table} order by ordinal_position
    `.execute(postgres)
    const here = await sql<{ name: string }>`select name from pragma_table_info(${table})`.execute(sqlite)
    expect(here.rows).toEqual(there.rows)
  }
})
