/** Usage, quotas, upstream health and progress estimates. */
import { expect, test } from 'vitest'
import { sha256 } from '../../src/lib/crypto/sha256.ts'
import { createStepClock } from '../support/step-clock.ts'
import { openTestApp, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }
const CREATE =
  'mutation ($input: CreateSwapInput!) { createSwap(input: $input) { ... on CreateSwapSuccess { job { id } } } }'
const PROGRESS =
  'query ($id: ID!) { swapJob(id: $id) { submittedAt progress { ahead medianDoneAt p90DoneAt overdue } } }'
const SERVICE = '{ swapService { accepting typicalMs slowMs hooksHealthy } }'

const create = async (gateway: TestApp): Promise<string> =>
  (await gateway.graphql(CREATE, { input: INPUT })).data.createSwap.job.id

async function finish(gateway: TestApp, n: number, status: 'SUCCESS' | 'FAILED' = 'SUCCESS') {
  const accepted = gateway.upstream.accepted[n]
  if (!accepted) throw new Error('nothing was sent')
  accepted.state = { status }
  await gateway.upstream.sendHook(accepted)
}

const countOf = async (gateway: TestApp, status: string): Promise<number> => {
  const { data } = await gateway.graphql('{ swapUsage { counts { status count } } }')
  return data.swapUsage.counts.find((one: { status: string }) => one.status === status).count
}

test('swapUsage returns counts by status and spent units, and uncertain units separately', async () => {
  const gateway = await openTestApp({ settings: { TENANT_QUOTA_PER_DAY: '20', TENANT_MAX_IN_FLIGHT: '7' } })
  await create(gateway)
  await create(gateway)
  await finish(gateway, 0)
  await until(async () => (await countOf(gateway, 'SUCCESS')) === 1)
  const { data } = await gateway.graphql(
    '{ swapUsage(window: LAST_HOUR) { from to jobs quotaSpent quotaUncertain quotaRemaining inFlight maxInFlight } month: swapUsage(window: LAST_30_DAYS) { quotaRemaining jobs } }',
  )
  expect(data.swapUsage).toMatchObject({
    jobs: 2,
    quotaSpent: 3,
    quotaUncertain: 3,
    quotaRemaining: 14,
    inFlight: 1,
    maxInFlight: 7,
  })
  // The window begins at a full quarter of an hour.
  const from = Date.parse(data.swapUsage.from)
  const windowMs = Date.parse(data.swapUsage.to) - from
  expect(from % 900_000).toBe(0)
  expect(windowMs).toBeGreaterThanOrEqual(3_600_000)
  expect(windowMs).toBeLessThan(4_500_000)
  expect(data.month).toEqual({ quotaRemaining: null, jobs: 2 })
})

test('swapUsage.maxInFlight is TENANT_MAX_IN_FLIGHT if it is set, and MAX_IN_FLIGHT otherwise', async () => {
  const read = async (settings: Record<string, string>) =>
    (await (await openTestApp({ settings })).graphql('{ swapUsage { maxInFlight } }')).data.swapUsage.maxInFlight
  expect(await read({ MAX_IN_FLIGHT: '3' })).toBe(3)
  expect(await read({ MAX_IN_FLIGHT: '3', TENANT_MAX_IN_FLIGHT: '5' })).toBe(5)
})

test('swapService and progress return no estimate before any job has ended', async () => {
  const gateway = await openTestApp()
  const id = await create(gateway)
  expect((await gateway.graphql(SERVICE)).data.swapService).toEqual({
    accepting: true,
    typicalMs: null,
    slowMs: null,
    hooksHealthy: true,
  })
  expect((await gateway.graphql(PROGRESS, { id })).data.swapJob.progress).toEqual({
    ahead: null,
    medianDoneAt: null,
    p90DoneAt: null,
    overdue: false,
  })
})

test('swapService reports the durations of recent jobs, and a job that takes longer is overdue', async () => {
  const clock = createStepClock()
  const gateway = await openTestApp({ clock })
  await create(gateway)
  clock.step(4_000)
  await finish(gateway, 0)
  await until(async () => (await countOf(gateway, 'SUCCESS')) === 1)
  const id = await create(gateway)
  clock.step(5_001)
  const { swapService } = (await gateway.graphql(SERVICE)).data
  expect(swapService).toMatchObject({ typicalMs: 4_000, slowMs: 4_000, hooksHealthy: true })
  const { submittedAt, progress } = (await gateway.graphql(PROGRESS, { id })).data.swapJob
  expect(Date.parse(progress.medianDoneAt) - Date.parse(submittedAt)).toBe(4_000)
  expect(progress).toMatchObject({ ahead: null, overdue: true })
})

test('progress.ahead counts the jobs before a waiting one in the fair order, and is null for a submitted one', async () => {
  const clock = createStepClock()
  const keys = ['many', 'few'].map((tenant) => `${tenant}:${sha256(`key of ${tenant}`)}`).join(',')
  const gateway = await openTestApp({ clock, settings: { MAX_IN_FLIGHT: '1', API_KEYS: keys } })
  const createAs = async (tenant: string) => {
    const answer = await gateway.graphql(CREATE, { input: INPUT }, { 'x-api-key': `key of ${tenant}` })
    clock.step(10)
    return { id: String(answer.data.createSwap.job.id), tenant }
  }
  const jobs: { readonly id: string; readonly tenant: string }[] = []
  for (const tenant of ['many', 'many', 'many', 'many', 'few', 'few']) jobs.push(await createAs(tenant))
  const ahead = await Promise.all(
    jobs.map(async ({ id, tenant }) => {
      const answer = await gateway.graphql(PROGRESS, { id }, { 'x-api-key': `key of ${tenant}` })
      return answer.data.swapJob.progress.ahead
    }),
  )
  // The other tenant has none in flight, so its first job goes next; then the tenants alternate, oldest first.
  expect(ahead).toEqual([null, 1, 3, 4, 0, 2])
})

test('swapService accepts swaps unless the upstream is down', async () => {
  const gateway = await openTestApp({ settings: { MAX_IN_FLIGHT: '50' } })
  const isAccepting = async () => (await gateway.graphql(SERVICE)).data.swapService.accepting
  expect(await isAccepting()).toBe(true)
  gateway.upstream.planSubmits(...Array.from({ length: 10 }, () => ({ kind: 'reset' }) as const))
  await Promise.all(Array.from({ length: 6 }, async () => create(gateway)))
  await until(async () => !(await isAccepting()))
})
