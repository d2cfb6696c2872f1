import { expect, test } from 'vitest'
import { FollowedHooks } from '../../../src/jobs/lifecycle/followed-hooks.ts'
import { createManualClock } from '../../support/manual-clock.ts'

const MAX_OF_ONE_JOB = 16
const recordOf = (n: number, jobId = 'job_1') => ({ jobId, upstreamId: `U${n}` })

/** Creates a job with the maximum number of followed hooks. */
function createFull() {
  const hooks = new FollowedHooks(createManualClock(), new AbortController().signal)
  const added = Array.from({ length: MAX_OF_ONE_JOB }, (_unused, n) => hooks.add(recordOf(n)))
  return { hooks, added }
}

test('followed hooks of one job are listed from the oldest, and found by job and id', () => {
  const { hooks, added } = createFull()
  expect(hooks.listOf('job_1')).toEqual(added)
  expect(hooks.find(recordOf(3))).toBe(added[3])
  expect(hooks.find(recordOf(3, 'job_2'))).toBeNull()
  expect(hooks.listOf('job_2')).toEqual([])
})

test('a job with fifteen followed hooks accepts one more, and drops none', () => {
  const { hooks, added } = createFull()
  if (added[0]) hooks.delete(added[0])
  expect(hooks.makeRoom('job_1')).toBeNull()
  expect(hooks.listOf('job_1')).toHaveLength(MAX_OF_ONE_JOB - 1)
})

test('a job with sixteen followed hooks accepts no more while the upstream has answered none of them', () => {
  const { hooks } = createFull()
  expect(hooks.makeRoom('job_1')).toBe(false)
  expect(hooks.makeRoom('job_2')).toBeNull()
})

test('a job with sixteen followed hooks drops the oldest that the upstream has answered without settling it', () => {
  const { hooks, added } = createFull()
  for (const hook of added.slice(4, 6)) hook.wasAnswered = true
  expect(hooks.makeRoom('job_1')).toBe(added[4])
  expect(added.map(({ isDropped }) => isDropped)).toEqual(added.map((_hook, n) => n === 4))
  expect(hooks.find(recordOf(4))).toBeNull()
})
