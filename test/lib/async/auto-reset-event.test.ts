import { expect, test } from 'vitest'
import { createAutoResetEvent } from '../../../src/lib/async/auto-reset-event.ts'

test('a wait for an event ends with the first notification', async () => {
  const signal = createAutoResetEvent()
  const waiting = signal.wait(10_000)
  signal.notify()
  expect(await waiting).toBe(true)
})

test('notifications before a wait end it at once, and count as one notification', async () => {
  const signal = createAutoResetEvent()
  signal.notify()
  signal.notify()
  expect(await signal.wait(10_000)).toBe(true)
  expect(await signal.wait(1)).toBe(false)
})

test('a wait without a notification ends at its timeout', async () => {
  expect(await createAutoResetEvent().wait(1)).toBe(false)
})

test('closing an event ends its wait, and every later one', async () => {
  const signal = createAutoResetEvent()
  const waiting = signal.wait(10_000)
  signal.close()
  expect(await waiting).toBe(false)
  signal.notify()
  expect(await signal.wait(10_000)).toBe(false)
})
