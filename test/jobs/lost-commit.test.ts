/** A connection to PostgreSQL is lost during a COMMIT: the gateway finds out whether the COMMIT was applied. */
import { expect, test } from 'vitest'
import { CreateSwapDocument } from '../support/generated.ts'
import type { Clock } from '../../src/lib/time/clock.ts'
import { createFastClock } from '../support/fast-clock.ts'
import { openWireTo, type WireFault } from '../support/fault-proxy.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { isOnPostgres } from '../support/raw-database.ts'
import { databaseUrlOf, makeDataDir, openRawDatabaseOf, openTestApp, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }

/** The protocol ends a statement with NUL, so the `synchronous_commit` setting of a new connection does not match. */
const lostCommit = (when: 'before' | 'after', thenRefuses = false): WireFault => ({
  kind: 'resetAt',
  text: 'commit\0',
  when,
  thenRefuses,
})

async function openThroughWire(clock?: Clock) {
  const dataDir = await makeDataDir()
  const { wire, through } = await openWireTo(await databaseUrlOf(dataDir))
  closeAfterTest(() => wire.close())
  const gateway = await openTestApp({ dataDir, settings: { DATABASE_URL: through }, ...(clock && { clock }) })
  return { gateway, wire, dataDir }
}

const create = async ({ graphql }: TestApp, idempotencyKey: string | null) =>
  graphql(CreateSwapDocument.toString(), { input: { ...INPUT, idempotencyKey } })

const listJobs = async ({ graphql }: TestApp) =>
  (await graphql('{ swapJobs(first: 5) { nodes { id status failure { code } charge { state } } } }')).data.swapJobs
    .nodes

test.runIf(isOnPostgres).each(['before', 'after'] as const)(
  'a swap is recorded and sent once if the connection is lost %s its COMMIT arrives',
  async (when) => {
    const { gateway, wire } = await openThroughWire()
    await wire.fail(lostCommit(when))
    const { job } = (await create(gateway, 'one')).data.createSwap
    expect(job.status).toBe('ON_QUEUE')
    expect((await create(gateway, 'one')).data.createSwap.job.id).toBe(job.id)
    expect(gateway.upstream.submits).toBe(1)
    expect(await listJobs(gateway)).toHaveLength(1)
  },
)

test.runIf(isOnPostgres).each([
  { key: null, status: 'FAILED', submits: 0 },
  { key: 'one', status: 'ON_QUEUE', submits: 1 },
])(
  'a swap whose commit is in doubt for a long time is $status once the database is back (idempotency key: $key)',
  async ({ key, status, submits }) => {
    const { gateway, wire } = await openThroughWire()
    await wire.fail(lostCommit('after', true))
    const { errors } = await create(gateway, key)
    expect(errors?.[0]?.extensions?.code).toBe('UNAVAILABLE')
    expect(gateway.upstream.submits).toBe(0)
    await wire.heal()
    const jobs = await until(async () => {
      const found = await listJobs(gateway).catch(() => [])
      return found[0]?.status === status && found
    })
    expect(jobs).toHaveLength(1)
    expect(gateway.upstream.submits).toBe(submits)
    if (key === null)
      expect(jobs[0]).toMatchObject({ failure: { code: 'NOT_SUBMITTED' }, charge: { state: 'NOT_CHARGED' } })
  },
)

test.runIf(isOnPostgres)(
  'a swap whose commit is in doubt for longer than its lease is sent, and does not count as already sent',
  async () => {
    let letFollow = () => {}
    const followed = new Promise<void>((resolve) => {
      letFollow = resolve
    })
    const fast = createFastClock(20)
    // The gateway resolves the doubt only after the reconciler has handled the job.
    const delay: Clock['delay'] = async (ms, signal) => (ms === 1_000 ? followed : fast.delay(ms, signal))
    const { gateway, wire, dataDir } = await openThroughWire({ ...fast, delay })
    closeAfterTest(() => letFollow())
    await wire.fail(lostCommit('after', true))
    const { errors } = await create(gateway, 'one')
    expect(errors?.[0]?.extensions?.code).toBe('UNAVAILABLE')
    await wire.heal()
    const database = await openRawDatabaseOf(dataDir)
    const wakeTimes = new Set<unknown>()
    await until(async () => {
      const [job] = await database.query('select status, wake_at from jobs')
      const { status, wake_at: wakeAt } = job as { readonly status: string; readonly wake_at: number }
      wakeTimes.add(wakeAt)
      return wakeTimes.size > 2 || status !== 'PENDING'
    })
    letFollow()
    await until(async () => (await listJobs(gateway))[0].status === 'ON_QUEUE')
    expect(gateway.upstream.submits).toBe(1)
  },
)

test.runIf(isOnPostgres).each(['before', 'after'] as const)(
  'a waiting swap whose claim is in doubt (connection lost %s the COMMIT arrives) is sent once the database is back',
  async (when) => {
    const { gateway, wire } = await openThroughWire()
    const { upstream, events } = gateway
    upstream.planSubmits({ kind: 'answer', status: 429, body: '{"status":"FAILED","message":"too many requests"}' })
    const { job } = (await create(gateway, null)).data.createSwap
    expect(job.status).toBe('PENDING')
    await wire.fail(lostCommit(when, true))
    await until(() => events.some(({ name, args }) => name === 'backgroundFailed' && args[0] === 'submit queued jobs'))
    expect(upstream.submits).toBe(1)
    await wire.heal()
    await until(async () => (await listJobs(gateway).catch(() => []))[0]?.status === 'ON_QUEUE')
    expect(upstream.submits).toBe(2)
    expect(upstream.accepted).toHaveLength(1)
  },
)
