/** Responses to a submit that arrive after the gateway has stopped waiting for them. */
import { expect, test } from 'vitest'
import { CreateSwapDocument } from '../support/generated.ts'
import { createFastClock } from '../support/fast-clock.ts'
import type { Answer } from '../support/fake-upstream.ts'
import { openTestApp, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }

const REFUSALS: readonly Answer[] = [
  { status: 429, body: '{"status":"FAILED","message":"too many requests"}' },
  { status: 400, body: '{"status":"FAILED","message":"No available accounts","data":null}' },
  { status: 402, body: '{"status":"FAILED","message":"quota"}' },
  { status: 200, body: '{"status":"FAILED","message":"no","data":null}' },
]

const readJob = async ({ graphql }: TestApp) =>
  (await graphql('{ swapJobs(first: 1) { nodes { status charge { state quota } timeline { status } } } }')).data
    .swapJobs.nodes[0]

const usageOf = async ({ graphql }: TestApp) =>
  (await graphql('{ swapUsage { quotaSpent quotaUncertain quotaRemaining } }')).data.swapUsage

/** Creates a job whose submit gets its response only once the job has `status`. */
async function refuseAfter(status: string, answer: Answer, settings: Record<string, string>) {
  const gateway = await openTestApp({
    clock: createFastClock(40),
    settings: { TENANT_QUOTA_PER_DAY: '30', ...settings },
  })
  const { upstream } = gateway
  const isReached = async () => until(async () => (await readJob(gateway))?.status === status)
  upstream.planSubmits({ kind: 'answer', ...answer, until: isReached })
  await gateway.graphql(CreateSwapDocument.toString(), { input: INPUT })
  return gateway
}

test.each(REFUSALS)(
  'a definite refusal ($status) of an UNCONFIRMED job fails it, and releases its quota',
  async (answer) => {
    const gateway = await refuseAfter('UNCONFIRMED', answer, { UNCONFIRMED_DEADLINE_S: '100000' })
    const job = await until(async () => {
      const found = await readJob(gateway)
      return found.status === 'FAILED' && found
    })
    expect(job.charge).toEqual({ state: 'NOT_CHARGED', quota: null })
    expect(job.timeline.map((entry: { status: string }) => entry.status)).toEqual(['PENDING', 'UNCONFIRMED', 'FAILED'])
    expect(await usageOf(gateway)).toEqual({ quotaSpent: 0, quotaUncertain: 0, quotaRemaining: 30 })
    expect(gateway.upstream.submits).toBe(1)
  },
)

test('a definite refusal of a LOST job leaves it LOST, and releases its quota', async () => {
  const refusal = { status: 402, body: '{"status":"FAILED","message":"quota"}' }
  const gateway = await refuseAfter('LOST', refusal, { UNCONFIRMED_DEADLINE_S: '10' })
  await until(async () => (await usageOf(gateway)).quotaUncertain === 0)
  expect(await readJob(gateway)).toMatchObject({ status: 'LOST', charge: { state: 'NOT_CHARGED', quota: null } })
})

test('a hook for a LOST job leaves it LOST, and settles its charge', async () => {
  const gateway = await openTestApp({ clock: createFastClock(40), settings: { UNCONFIRMED_DEADLINE_S: '10' } })
  const { upstream } = gateway
  upstream.planSubmits({ kind: 'acceptAndReset' })
  await gateway.graphql(CreateSwapDocument.toString(), { input: INPUT })
  await until(async () => (await readJob(gateway)).status === 'LOST')
  const [own] = upstream.accepted
  if (!own) throw new Error('the upstream took no job')
  own.state = { status: 'SUCCESS' }
  expect(await upstream.sendHook(own)).toBe(200)
  await until(async () => (await readJob(gateway)).charge.state === 'CHARGED')
  expect(await readJob(gateway)).toMatchObject({ status: 'LOST', charge: { state: 'CHARGED', quota: 3 } })
})

test('the timeline of a job whose id came from its hook, and that failed upstream, has no ON_QUEUE', async () => {
  const gateway = await openTestApp({ clock: createFastClock(20) })
  gateway.upstream.planSubmits({ kind: 'acceptAndReset' })
  await gateway.graphql(CreateSwapDocument.toString(), { input: INPUT })
  const [own] = gateway.upstream.accepted
  if (!own) throw new Error('the upstream took no job')
  own.state = { status: 'FAILED', message: 'No face was found in the target image.' }
  expect(await gateway.upstream.sendHook(own)).toBe(200)
  const job = await until(async () => {
    const found = await readJob(gateway)
    return found.status === 'FAILED' && found
  })
  expect(job.timeline.map((entry: { status: string }) => entry.status)).toEqual(['PENDING', 'UNCONFIRMED', 'FAILED'])
})
