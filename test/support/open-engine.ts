import { join } from 'node:path'
import type { Engine } from '../../src/store/sql/engine.ts'
import { openDatabase as openPostgres } from '../../src/store/postgres/engine.ts'
import { openDatabase as openSqlite } from '../../src/store/sqlite/engine.ts'
import { closeAfterTest } from './close-after-test.ts'
import { createDatabase } from './postgres.ts'
import { isOnPostgres } from './raw-database.ts'
import { makeDataDir } from './test-app.ts'

/** Opens an empty database of the engine under test; closed after the test. */
export async function openEngine(): Promise<Engine> {
  const engine = await (isOnPostgres
    ? openPostgresEngine()
    : openSqlite(join(await makeDataDir(), 'gateway.db'), () => {}))
  closeAfterTest(() => engine.db.destroy())
  return engine
}

async function openPostgresEngine(): Promise<Engine> {
  const { url, drop } = await createDatabase()
  closeAfterTest(drop)
  return openPostgres(
    url,
    () => {},
    () => {},
  )
}
