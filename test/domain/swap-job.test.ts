import { expect, test } from 'vitest'
import { isDone, isSettled, SWAP_JOB_STATUSES } from '../../src/domain/swap-job.ts'

test('a job is done when it succeeded, failed, was canceled or is lost', () => {
  expect(SWAP_JOB_STATUSES.filter(isDone)).toEqual(['SUCCESS', 'FAILED', 'CANCELED', 'LOST'])
})

test('a job is settled when it is done and its charge is known', () => {
  const charge = { state: 'CHARGED', quota: 3 } as const
  expect(isSettled({ status: 'LOST', charge })).toBe(true)
  expect(isSettled({ status: 'LOST', charge: { state: 'UNKNOWN', quota: null } })).toBe(false)
  expect(isSettled({ status: 'ON_QUEUE', charge })).toBe(false)
})
