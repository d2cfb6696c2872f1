/** What a test opens, to be closed after it. `test/support/after-each.ts` closes it after each test of every file. */
import { createClosers } from '../../src/lib/async/closers.ts'

const ofTest = createClosers()
let closers = ofTest

/** Registers `close` to be called after the test. */
export function closeAfterTest(close: () => Promise<void> | void): void {
  closers.add(close)
}

/** Closes what the test has opened, the last first. */
export async function closeAllAfterTest(): Promise<void> {
  await ofTest.closeAll()
}

/**
 * For `beforeAll`: what `open` opens is closed after the tests of the file or group, not after the first of them.
 * @returns what closes it, to be returned by the hook.
 */
export async function closeAfterGroup(open: () => Promise<void>): Promise<() => Promise<void>> {
  const ofGroup = createClosers()
  closers = ofGroup
  try {
    await open()
  } catch (error) {
    await ofGroup.closeAll()
    throw error
  } finally {
    closers = ofTest
  }
  return async () => ofGroup.closeAll()
}
