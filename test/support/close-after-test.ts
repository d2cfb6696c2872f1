/** What a test opens, to be closed after it. `test/support/after-each.ts` closes it after each test of every file. */
import { createClosers } from '../../src/lib/async/closers.ts'

const closers = createClosers()

/** Registers `close` to be called after the test. */
export function closeAfterTest(close: () => Promise<void> | void): void {
  closers.add(close)
}

/** Closes what the test has opened, the last first. */
export async function closeAllAfterTest(): Promise<void> {
  await closers.closeAll()
}
