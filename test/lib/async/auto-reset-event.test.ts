import { expect, test } from 'vitest'
import { createAutoResetEvent } from '../../../src/lib/async/auto-reset-event.ts'

test('a wait ends with the first ring', async () => {
  const signal = createAutoResetEvent()
  const waiting = signal.wait(10_000)
  signal.notify()
  expect(await waiting).toBe(true)
})

test('rings before a wait end it at once, and count as one', async () => {
  const signal = createAutoResetEvent()
  signal.notify()
  signal.notify()
  expect(await signal.wait(10_000)).toBe(true)
  expect(await signal.wait(1)).toBe(false)
})

test('a wait without a ring ends with its time', async () => {
  expect(await createAutoResetEvent().wait(1)).toBe(false)
})

test('closing ends the wait, and every later one', async () => {
  const signal = createAutoResetEvent()
  const waiting = signal.wait(10_000)
  signal.close()
  expect(await waiting).toBe(false)
  signal.notify()
  expect(await signal.wait(10_000)).toBe(false)
})
