/** Closes what a test opens; `test/support/after-each.ts` does so after each test of every file. */
import { createClosers } from '../../src/lib/async/closers.ts'

const ofTest = createClosers()
let closers = ofTest

/** Registers a function that is called after the test. */
export function closeAfterTest(close: () => Promise<void> | void): void {
  closers.add(close)
}

/** Closes everything that the test opened, in reverse order. */
export async function closeAllAfterTest(): Promise<void> {
  await ofTest.closeAll()
}

/**
 * For `beforeAll`: defers closing what `open` opens until after all tests of the file or group.
 * @returns the closing function; the hook must return it.
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
