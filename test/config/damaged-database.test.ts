/** A damaged embedded database: the start reports it in one line, or the gateway opens it and works. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import Database from 'libsql'
import { expect, test } from 'vitest'
import { toConfig } from '../../src/config/config.ts'
import { parseSettings } from '../../src/config/env.ts'
import { toStartLine } from '../../src/config/start-error.ts'
import { openDatabase } from '../../src/store/sqlite/engine.ts'
import { makeDataDir } from '../support/test-app.ts'

const ONE_LINE = /^(?:DATA_DIR|DATABASE_URL) (?:cannot be used|names a database of another program)[^\r\n]*$/

test('a damaged database is reported in one line at startup, or opened', async () => {
  const dataDir = await makeDataDir()
  const path = join(dataDir, 'gateway.db')
  const engine = await openDatabase(path, () => {})
  await engine.db.destroy()
  // Moves all data from the WAL into the file that is damaged.
  const raw = new Database(path)
  raw.exec('pragma wal_checkpoint(truncate)')
  raw.close()
  const whole = readFileSync(path)
  const config = toConfig(parseSettings({ DATA_DIR: dataDir }))

  const damage = fc.record({
    from: fc.nat(whole.length - 1),
    length: fc.constantFrom(1, 100, 4_096, whole.length),
    byte: fc.constantFrom(0, 0xff, 0x41),
    cutAt: fc.option(fc.nat(whole.length), { nil: whole.length, freq: 3 }),
  })
  await fc.assert(
    fc.asyncProperty(damage, async ({ from, length, byte, cutAt }) => {
      const bytes = Buffer.from(whole).fill(byte, from, Math.min(whole.length, from + length))
      for (const end of ['-wal', '-shm']) rmSync(path + end, { force: true })
      writeFileSync(path, bytes.subarray(0, cutAt))
      const line = await openDatabase(path, () => {}).then(
        async ({ db }) => db.destroy().then(() => 'DATA_DIR cannot be used: opened.'),
        (error: unknown) => toStartLine(error, config),
      )
      expect(line).toMatch(ONE_LINE)
    }),
    // The engine mistakes this example for a locked database.
    { numRuns: 25, examples: [[{ from: 758, length: 100, byte: 0x41, cutAt: 126_351 }]] },
  )
})
