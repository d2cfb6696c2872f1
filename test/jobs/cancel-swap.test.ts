import { expect, test } from 'vitest'
import { createCancelSwap } from '../../src/jobs/cancel-swap.ts'
import { type Lifecycle, openLifecycle } from '../support/lifecycle.ts'
import { viewerOf } from '../support/viewer.ts'

const OWNER = viewerOf('a', { scopes: ['swap:write'] })
const cancel = async (lifecycle: Lifecycle, id: string, viewer = OWNER) => createCancelSwap(lifecycle)(viewer, id)

test('a waiting job is canceled without a charge, and canceling it again changes nothing', async () => {
  const lifecycle = await openLifecycle()
  await lifecycle.create('job_1')
  const first = await cancel(lifecycle, 'job_1')
  expect(first).toMatchObject({ kind: 'canceled', job: { status: 'CANCELED', charge: { state: 'NOT_CHARGED' } } })
  expect(await cancel(lifecycle, 'job_1')).toEqual(first)
  expect(await lifecycle.statusesOf('job_1')).toEqual(['PENDING', 'CANCELED'])
})

test.each([
  ['is being submitted', 'createClaimed'],
  ['is at the upstream', 'createOnQueue'],
  ['may be at the upstream', 'createUnconfirmed'],
] as const)('a job that %s is not canceled', async (_what, create) => {
  const lifecycle = await openLifecycle()
  const job = await lifecycle[create]('job_1')
  expect(await cancel(lifecycle, 'job_1')).toEqual({ kind: 'tooLate', job })
  expect(await lifecycle.read('job_1')).toEqual(job)
})

test('canceling a job of another tenant returns the same outcome as canceling a missing job', async () => {
  const lifecycle = await openLifecycle()
  await lifecycle.create('job_1', { tenant: 'b' })
  expect(await cancel(lifecycle, 'job_1')).toEqual({ kind: 'notFound' })
  expect(await cancel(lifecycle, 'job_unknown')).toEqual({ kind: 'notFound' })
  expect((await lifecycle.read('job_1')).status).toBe('PENDING')
})

test('canceling is refused without the scope swap:write', async () => {
  const lifecycle = await openLifecycle()
  await expect(cancel(lifecycle, 'job_1', viewerOf('a'))).rejects.toThrow('swap:write')
})
