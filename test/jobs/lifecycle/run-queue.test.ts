import { expect, test } from 'vitest'
import { runQueue } from '../../../src/jobs/lifecycle/run-queue.ts'
import { createInterruptibleDelay } from '../../../src/lib/async/interruptible-delay.ts'
import { createManualClock } from '../../support/manual-clock.ts'
import { recordTelemetry } from '../../support/record-telemetry.ts'

const POLL_EVERY_MS = 500

/** Runs the queue; each call of `submitWaiting` fails while `isFailing`. */
function startQueue() {
  const clock = createManualClock()
  const stopping = new AbortController()
  const room = createInterruptibleDelay(clock, stopping.signal)
  const { telemetry, events } = recordTelemetry()
  const state = { runs: 0, isFailing: false }
  const submitter = {
    submitWaiting: async () => {
      state.runs += 1
      if (state.isFailing) throw new Error('the database is away')
    },
  }
  const running = runQueue({ submitter, room, telemetry, stopping: stopping.signal })
  const stop = async () => {
    stopping.abort()
    await running
  }
  return { clock, room, state, events, stop }
}

test('the queue submits waiting jobs at startup and then every half second', async () => {
  const { clock, state, stop } = startQueue()
  for (let runs = 1; runs <= 3; runs += 1) {
    await clock.untilPending()
    expect([state.runs, clock.pendingMs]).toEqual([runs, [POLL_EVERY_MS]])
    clock.advance(POLL_EVERY_MS)
  }
  await stop()
})

test('the queue submits waiting jobs at once when a slot becomes free', async () => {
  const { clock, room, state, stop } = startQueue()
  await clock.untilPending()
  room.wake()
  expect(clock.pendingMs).toEqual([])
  await clock.untilPending()
  expect(state.runs).toBe(2)
  await stop()
})

test('the queue runs once more if a slot becomes free while it submits', async () => {
  const { clock, room, state, stop } = startQueue()
  room.wake()
  await clock.untilPending()
  expect(state.runs).toBe(2)
  await stop()
})

test('the queue reports a failure and continues', async () => {
  const { clock, state, events, stop } = startQueue()
  state.isFailing = true
  await clock.untilPending()
  clock.advance(POLL_EVERY_MS)
  await clock.untilPending()
  state.isFailing = false
  clock.advance(POLL_EVERY_MS)
  await clock.untilPending()
  expect(state.runs).toBe(3)
  expect(events).toEqual([
    { name: 'backgroundFailed', args: ['submit queued jobs', new Error('the database is away')] },
  ])
  await stop()
})

test('the queue ends when the gateway stops, without waiting for its pause to end', async () => {
  const { clock, state, stop } = startQueue()
  await clock.untilPending()
  await stop()
  expect(state.runs).toBe(1)
})
