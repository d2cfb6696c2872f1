import { expect, test } from 'vitest'
import { createInterruptibleDelay } from '../../../src/lib/async/interruptible-delay.ts'
import { createManualClock } from '../../support/manual-clock.ts'

function createDelay() {
  const clock = createManualClock()
  const stopping = new AbortController()
  return { clock, stopping, delay: createInterruptibleDelay(clock, stopping.signal) }
}

test('an interruptible delay ends with its time', async () => {
  const { clock, delay } = createDelay()
  const waiting = delay.wait(500)
  expect(clock.pendingMs).toEqual([500])
  clock.advance(500)
  await waiting
})

test('an interruptible delay ends when it is woken, and leaves no timer behind', async () => {
  const { clock, delay } = createDelay()
  const waiting = delay.wait(500)
  delay.wake()
  await waiting
  expect(clock.pendingMs).toEqual([])
})

test('an interruptible delay that was woken before ends at once, and only once', async () => {
  const { clock, delay } = createDelay()
  delay.wake()
  delay.wake()
  await delay.wait(500)
  const second = delay.wait(500)
  expect(clock.pendingMs).toEqual([500])
  clock.advance(500)
  await second
})

test('every interruptible delay ends when the gateway stops', async () => {
  const { clock, stopping, delay } = createDelay()
  const waiting = delay.wait(500)
  stopping.abort()
  await waiting
  await delay.wait(500)
  expect(clock.pendingMs).toEqual([])
})
