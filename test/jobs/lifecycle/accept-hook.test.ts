import { expect, test } from 'vitest'
import { openHookTaker } from '../../../src/jobs/lifecycle/accept-hook.ts'
import { createHookAddresses } from '../../../src/jobs/lifecycle/hook-addresses.ts'
import { openDiskHookJournal } from '../../../src/journal/disk.ts'
import { createBackground } from '../../../src/lib/async/background.ts'
import { systemClock } from '../../../src/lib/time/clock.ts'
import { makeDataDir } from '../../support/test-app.ts'

test('a hook that cannot be written down is not acknowledged, and nothing is asked of the database', async () => {
  const journal = await openDiskHookJournal(await makeDataDir())
  await journal.close()
  const hookAddresses = createHookAddresses('https://gateway.example', ['a-secret-of-some-length'])
  const refused: unknown[] = []
  const fail = () => {
    throw new Error('not to be asked')
  }
  const hooks = openHookTaker({
    store: { findJob: fail },
    confirmer: { confirmHook: fail },
    journal,
    upstream: { readHookId: () => null },
    hookAddresses,
    telemetry: { hookRefused: fail, hookNotRecorded: (error) => refused.push(error), backgroundFailed: fail },
    background: createBackground(fail),
    clock: systemClock,
    random: () => 0,
    stopping: new AbortController().signal,
  })
  expect(await hooks.accept('job_1', '{}')).toBe('notRecorded')
  expect(refused).toHaveLength(1)
})
