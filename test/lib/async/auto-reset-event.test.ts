import { expect, test } from 'vitest'
import { createWakeSignal } from '../../../src/lib/async/auto-reset-event.ts'

test('a wait ends with the first ring', async () => {
  const signal = createWakeSignal()
  const waiting = signal.wait(10_000)
  signal.ring()
  expect(await waiting).toBe(true)
})

test('rings before a wait end it at once, and count as one', async () => {
  const signal = createWakeSignal()
  signal.ring()
  signal.ring()
  expect(await signal.wait(10_000)).toBe(true)
  expect(await signal.wait(1)).toBe(false)
})

test('a wait without a ring ends with its time', async () => {
  expect(await createWakeSignal().wait(1)).toBe(false)
})

test('closing ends the wait, and every later one', async () => {
  const signal = createWakeSignal()
  const waiting = signal.wait(10_000)
  signal.close()
  expect(await waiting).toBe(false)
  signal.ring()
  expect(await signal.wait(10_000)).toBe(false)
})
