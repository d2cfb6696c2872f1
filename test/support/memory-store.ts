import type { JobStore } from '../../src/store/job-store.ts'
import type { Engine } from '../../src/store/sql/engine.ts'
import { createJobStore } from '../../src/store/sql/job-store.ts'
import { openDatabase } from '../../src/store/sqlite/open.ts'
import { closeAfterTest } from './close-after-test.ts'

/** The real store of jobs over an empty SQLite database in memory; closed after the test. */
export async function openMemoryStore(): Promise<{ readonly engine: Engine; readonly store: JobStore }> {
  const engine = await openDatabase(':memory:', () => {})
  closeAfterTest(() => engine.db.destroy())
  return { engine, store: createJobStore(engine) }
}
