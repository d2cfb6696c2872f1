/** Runs the backup and restore commands of docs/OPERATIONS.md for PostgreSQL while swaps are created and end. */
import { execFile } from 'node:child_process'
import { cp, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { closeAfterTest } from '../support/close-after-test.ts'
import { openFakeUpstream } from '../support/fake-upstream.ts'
import { hasPostgresTools, NOT_RUN, openPostgresTools } from '../support/postgres-tools.ts'
import { openRawDatabase } from '../support/raw-database.ts'
import { makeDataDir, openTestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'
import { runBlockAfter } from './operations-block.ts'
import { expectRestored, scriptQuickSwaps, startSwaps } from './swaps-under-load.ts'

const run = promisify(execFile)

test.skipIf(!hasPostgresTools)(
  `a dump of PostgreSQL that is taken while swaps are created and end restores all that was acknowledged before it${hasPostgresTools ? '' : NOT_RUN}`,
  async () => {
    const { port, env } = await openPostgresTools()
    await run('createdb', ['gateway'], { env })
    const upstream = await openFakeUpstream()
    closeAfterTest(() => upstream.close())
    scriptQuickSwaps(upstream)
    const folder = await makeDataDir()
    const dataDir = join(folder, 'data')
    const images = join(folder, 'images')
    const copiedImages = join(folder, 'images.copy')
    const urlOf = (database: string) => `postgres://gateway@127.0.0.1:${port}/${database}`
    const open = async (database: string) =>
      openTestApp({
        upstream,
        dataDir,
        settings: {
          DATABASE_URL: urlOf(database),
          BLOB_URL: `file:${images}`,
          GATEWAY_SECRET: 'a secret for all processes',
          MAX_IN_FLIGHT: '100',
          ALLOWED_PRIVATE_HOSTS: `127.0.0.1:${upstream.port}`,
        },
      })
    const edit = (block: string) => block.replaceAll('db.example.com', '127.0.0.1')
    const running = await open('gateway')
    const load = startSwaps(running)
    await until(() => upstream.hooks.length >= 30)
    const acknowledged = await load.acknowledged()
    const before = { created: load.created(), ended: upstream.hooks.length }
    await runBlockAfter('Replication or WAL archiving', { cwd: folder, edit, env })
    await cp(images, copiedImages, { recursive: true, filter: (path) => !path.endsWith('.part') })
    expect(load.created()).toBeGreaterThan(before.created)
    expect(upstream.hooks.length).toBeGreaterThan(before.ended)
    await load.stop()
    await running.app.close()
    await runBlockAfter('load the dump into an empty database', { cwd: folder, edit, env })
    await rename(images, join(folder, 'images.old'))
    await rename(copiedImages, images)

    const restored = await open('gateway_restored')
    const database = await openRawDatabase(urlOf('gateway_restored'))
    closeAfterTest(() => database.close())
    await expectRestored(restored, database, acknowledged)
  },
)
