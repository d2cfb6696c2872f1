/** The suite for the contract of the store; each engine runs it in its own project (`vitest.config.ts`). */
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { array, assert, asyncProperty, boolean, constantFrom, integer, option, record, uniqueArray } from 'fast-check'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { matchesFilter } from '../../src/domain/job-filter.ts'
import type { SwapJob } from '../../src/domain/swap-job.ts'
import { createId } from '../../src/lib/crypto/ids.ts'
import {
  type JobStore,
  type NewSwapJob,
  type Room,
  type TenantLimits,
  UpstreamIdTakenError,
  USAGE_STEP_MS,
} from '../../src/store/job-store.ts'
import type { Engine } from '../../src/store/sql/engine.ts'
import { createCachedJobStore } from '../../src/store/sqlite/job-cache.ts'
import { createJobStore } from '../../src/store/sql/job-store.ts'
import { openDatabase as openPostgres } from '../../src/store/postgres/engine.ts'
import { FileLockedError } from '../../src/store/sqlite/file-lock.ts'
import { openDatabase as openSqlite } from '../../src/store/sqlite/engine.ts'
import { createDatabase } from '../support/postgres.ts'
import { isOnPostgres } from '../support/raw-database.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { makeDataDir } from '../support/test-app.ts'
import { makeNewSwapJob } from '../support/jobs.ts'

interface Opened {
  readonly engine: Engine
  readonly store: JobStore
}

/** Creates an empty database; returns a function that opens it, called once per process. */
const makeDatabase = isOnPostgres ? makePostgres : makeSqlite

async function makeSqlite(): Promise<() => Promise<Opened>> {
  const path = join(await makeDataDir(), 'gateway.db')
  return async () => {
    const engine = await openSqlite(path, () => {})
    return { engine, store: createCachedJobStore(createJobStore(engine)) }
  }
}

async function makePostgres(): Promise<() => Promise<Opened>> {
  const { url, drop } = await createDatabase()
  closeAfterTest(drop)
  return async () => {
    const engine = await openPostgres(
      url,
      () => {},
      () => {},
    )
    return { engine, store: createJobStore(engine) }
  }
}

const NOW = 1_700_000_000_000
const ROOM = { maxInFlight: 100, maxWaiting: 100 }
const REFUSALS = { since: 0, maxPerTenant: 2, maxOverall: 3 }
const LIMITS = { since: 0, quota: null, maxUnfinished: null, maxWaiting: null, contentRefusals: REFUSALS }

function newJob(over: Partial<NewSwapJob> = {}): NewSwapJob {
  return makeNewSwapJob(createId('job', NOW), NOW, {
    targetImageUrl: 'https://example.com/t.jpg?ü=%20',
    tags: ['one', 'zwei "quoted"'],
    leaseUntil: NOW + 45_000,
    ...over,
  })
}

async function createOne(store: JobStore, over: Partial<NewSwapJob> = {}): Promise<SwapJob> {
  const made = await store.createJob(newJob(over), ROOM, LIMITS)
  if (made.kind !== 'created') throw new Error(made.kind)
  return made.job
}

const startOfStep = (at: number) => at - (at % USAGE_STEP_MS)

const enqueue = (upstreamId: string) =>
  ({ kind: 'transition', to: 'ON_QUEUE', patch: { upstreamId, leaseUntil: null, wakeAt: NOW + 2_000 } }) as const

describe(`the store on ${isOnPostgres ? 'PostgreSQL' : 'SQLite'}`, () => {
  const openWith = async (open: () => Promise<Opened>) => {
    const { engine, store } = await open()
    closeAfterTest(() => engine.db.destroy())
    return { db: engine.db, store }
  }
  const openStore = async () => openWith(await makeDatabase())
  /** Opens one database in two processes. The embedded one allows one, so its store is returned twice. */
  const openTwo = async () => {
    const open = await makeDatabase()
    const [first, second] = [openWith(open), isOnPostgres ? openWith(open) : null]
    return Promise.all([first, second ?? first])
  }

  test('returns a job as it was recorded, claimed for its first submit', async () => {
    const { store } = await openStore()
    const input = newJob()
    const { idempotency: _none, content: _digest, ...given } = input
    const created = await store.createJob(input, ROOM, LIMITS)
    expect(created).toMatchObject({ kind: 'created', job: { ...given, status: 'PENDING', version: 1, fencing: 1 } })
    expect(created).toEqual({ kind: 'created', job: await store.findJob(input.id) })
    expect(await store.listTimelines([input.id])).toEqual([
      [{ version: 1, status: 'PENDING', at: NOW, source: 'CALLER' }],
    ])
  })

  test('records one job for a key of a tenant, even if two requests arrive at once', async () => {
    const { store } = await openStore()
    const idempotency = { key: 'k', fingerprint: 'f1', sealedKeys: [] }
    const [first, second] = await Promise.all([
      store.createJob(newJob({ idempotency }), ROOM, LIMITS),
      store.createJob(newJob({ idempotency: { key: 'k', fingerprint: 'f2', sealedKeys: [] } }), ROOM, LIMITS),
    ])
    expect(first.kind).toBe('created')
    expect(second).toEqual({ ...first, kind: 'existing', fingerprint: 'f1' })
    expect((await store.createJob(newJob({ tenant: 'b', idempotency }), ROOM, LIMITS)).kind).toBe('created')
  })

  test('keeps a key until a day after its job is done', async () => {
    const { store } = await openStore()
    const idempotency = { key: 'k', fingerprint: 'f1', sealedKeys: [] }
    const job = await createOne(store, { idempotency })
    const patch = { finishedAt: NOW, wakeAt: null }
    await store.applyDecision(job, { kind: 'transition', to: 'FAILED', patch }, NOW, 'SUBMIT')
    const day = 24 * 60 * 60 * 1_000
    const before = await store.createJob(newJob({ idempotency, createdAt: NOW + day - 1 }), ROOM, LIMITS)
    const after = await store.createJob(newJob({ idempotency, createdAt: NOW + day }), ROOM, LIMITS)
    const again = await store.createJob(newJob({ idempotency, createdAt: NOW + day }), ROOM, LIMITS)
    expect([before.kind, after.kind, again.kind]).toEqual(['existing', 'created', 'existing'])
    expect(again).toMatchObject({ job: { id: after.kind === 'created' && after.job.id } })
  })

  test('claims a new job only if fewer than maxInFlight are in flight and no job waits', async () => {
    const { store } = await openStore()
    const room = { maxInFlight: 2, maxWaiting: 2 }
    const made = []
    for (let n = 0; n < 5; n += 1) made.push(await store.createJob(newJob({ createdAt: NOW + n }), room, LIMITS))
    expect(made.map((one) => (one.kind === 'created' ? one.job.fencing : one.kind))).toEqual([1, 1, 0, 0, 'full'])
    const [first, , third] = made
    if (first?.kind !== 'created' || third?.kind !== 'created') throw new Error('not made')

    const next = await store.findNextWaiting(NOW + 10, REFUSALS)
    expect(next?.id).toBe(third.job.id)
    if (!next) throw new Error('no job waits')
    const claim = { hookAddress: 'https://gateway/hooks/9', leaseUntil: NOW + 90_000, maxInFlight: 2 }
    expect(await store.claimSubmit(next, claim)).toBeNull()
    await store.applyDecision(first.job, { kind: 'transition', to: 'FAILED', patch: { wakeAt: null } }, NOW, 'SUBMIT')
    expect(await store.claimSubmit(next, claim)).toMatchObject({
      id: next.id,
      fencing: 1,
      hookAddress: claim.hookAddress,
    })
  })

  describe('limits many jobs that are recorded at once:', () => {
    const recordAtOnce = async (count: number, room: Room, limits: TenantLimits, keyOf?: (n: number) => string) => {
      const { store } = await openStore()
      const made = await Promise.all(
        Array.from({ length: count }, async (_unused, n) => {
          const idempotency = keyOf ? { key: keyOf(n), fingerprint: 'f', sealedKeys: [] } : null
          return store.createJob(newJob({ idempotency }), room, limits)
        }),
      )
      const kinds: Record<string, number> = {}
      for (const one of made) {
        const kind = one.kind === 'created' ? (one.job.leaseUntil === null ? 'waits' : 'claimed') : one.kind
        kinds[kind] = (kinds[kind] ?? 0) + 1
      }
      return { kinds, made }
    }

    test('no more are claimed than may be in flight, and no more wait than may wait', async () => {
      const { kinds } = await recordAtOnce(20, { maxInFlight: 3, maxWaiting: 4 }, LIMITS)
      expect(kinds).toEqual({ claimed: 3, waits: 4, full: 13 })
    })

    test('a tenant has at most its limit, and each key has one job', async () => {
      const room = { maxInFlight: 5, maxWaiting: 100 }
      const { kinds, made } = await recordAtOnce(40, room, { ...LIMITS, maxUnfinished: 18 }, (n) => `k${n % 30}`)
      expect(kinds).toEqual({ claimed: 5, waits: 13, existing: 10, tenantFull: 12 })
      for (let n = 30; n < 40; n += 1) expect(made[n]).toMatchObject({ kind: 'existing' })
    })

    test('no more units are reserved than are left', async () => {
      const { kinds, made } = await recordAtOnce(12, ROOM, { ...LIMITS, quota: { limit: 10, reserve: 3 } })
      expect(kinds).toEqual({ claimed: 3, quotaSpent: 9 })
      expect(made.at(-1)).toEqual({ kind: 'quotaSpent', remaining: 1 })
    })
  })

  test('submits next the oldest job of the tenant with the fewest jobs in flight', async () => {
    const { store } = await openStore()
    const tenants = constantFrom('a', 'b', 'c', 'd')
    const job = record({ tenant: tenants, isSent: boolean(), isLater: boolean() })
    await assert(
      asyncProperty(array(job, { maxLength: 12 }), async (wanted) => {
        const made: { readonly job: SwapJob; readonly isSent: boolean; readonly isLater: boolean }[] = []
        for (const [n, { tenant, isSent, isLater }] of wanted.entries()) {
          const created = await createOne(store, {
            tenant,
            createdAt: NOW - n * 7,
            leaseUntil: isSent ? NOW + 45_000 : null,
          })
          const later = { kind: 'bookkeeping', patch: { notBefore: NOW + 5_000 } } as const
          if (!isSent && isLater) await store.applyDecision(created, later, NOW, 'SUBMIT')
          made.push({ job: created, isSent: created.leaseUntil !== null, isLater })
        }
        const inFlight = (tenant: string) => made.filter((one) => one.isSent && one.job.tenant === tenant).length
        const expected = made
          .filter(({ isSent, isLater }) => !isSent && !isLater)
          .toSorted((x, y) => inFlight(x.job.tenant) - inFlight(y.job.tenant) || x.job.createdAt - y.job.createdAt)[0]
        expect((await store.findNextWaiting(NOW, REFUSALS))?.id ?? null).toBe(expected?.job.id ?? null)
        const ended = { kind: 'transition', to: 'FAILED', patch: { finishedAt: NOW, wakeAt: null } } as const
        const stored = await store.findJobs(made.map((one) => one.job.id).concat('job_none'))
        await Promise.all(stored.map(async (one) => one && store.applyDecision(one, ended, NOW, 'SUBMIT')))
      }),
      { numRuns: 25 },
    )
  })

  test('lists waiting jobs in the order of their submits, whatever is in flight', async () => {
    const { store } = await openStore()
    const tenants = constantFrom('a', 'b', 'c', 'd')
    const job = record({ tenant: tenants, isSent: boolean(), at: integer({ min: 0, max: 5 }) })
    await assert(
      asyncProperty(array(job, { maxLength: 14 }), integer({ min: 0, max: 14 }), async (wanted, limit) => {
        const made: SwapJob[] = []
        for (const { tenant, isSent, at } of wanted) {
          const over = { tenant, createdAt: NOW + at, leaseUntil: isSent ? NOW + 45_000 : null }
          made.push(await createOne(store, over))
        }
        const listed = await store.listWaitingIds(1_000)
        expect(await store.listWaitingIds(limit)).toEqual(listed.slice(0, limit))
        const submitted: string[] = []
        for (;;) {
          const next = await store.findNextWaiting(NOW + 10, REFUSALS)
          if (!next) break
          const claim = { hookAddress: 'https://gateway/hooks/1', leaseUntil: NOW + 45_000, maxInFlight: 100 }
          expect(await store.claimSubmit(next, claim)).not.toBeNull()
          submitted.push(next.id)
        }
        expect(listed).toEqual(submitted)
        const ended = { kind: 'transition', to: 'FAILED', patch: { finishedAt: NOW, wakeAt: null } } as const
        const stored = await store.findJobs(made.map(({ id }) => id).concat('job_none'))
        await Promise.all(stored.map(async (one) => one && store.applyDecision(one, ended, NOW, 'SUBMIT')))
      }),
      { numRuns: 20 },
    )
  })

  test('limits a tenant to as many waiting jobs as remain free, so that two tenants cannot block a third', async () => {
    const { store } = await openStore()
    const room = { maxInFlight: 0, maxWaiting: 16 }
    const limits = { ...LIMITS, maxWaiting: 8 }
    await assert(
      asyncProperty(
        array(constantFrom('a', 'b', 'c'), { minLength: 30, maxLength: 60 }),
        boolean(),
        async (tenants, atOnce) => {
          const create = async (tenant: string) => ({
            tenant,
            made: await store.createJob(newJob({ tenant }), room, limits),
          })
          const results: Awaited<ReturnType<typeof create>>[] = []
          if (atOnce) results.push(...(await Promise.all(tenants.map(create))))
          else for (const tenant of tenants) results.push(await create(tenant))
          const waiting = results.flatMap(({ made }) => (made.kind === 'created' ? [made.job] : []))
          const refused = new Set(results.filter(({ made }) => made.kind === 'tenantFull').map(({ tenant }) => tenant))
          const free = room.maxWaiting - waiting.length
          for (const tenant of new Set(tenants)) {
            const own = waiting.filter((job) => job.tenant === tenant).length
            expect(own).toBeLessThanOrEqual(8)
            if (refused.has(tenant)) expect(own).toBeGreaterThanOrEqual(free)
          }
          // Three tenants that queue as many jobs as they may leave capacity for a fourth.
          expect(results.every(({ made }) => made.kind === 'created' || made.kind === 'tenantFull')).toBe(true)
          expect(free).toBeGreaterThanOrEqual(2)
          const other = await create('d')
          expect(other.made.kind).toBe('created')
          const all = [...waiting, ...(other.made.kind === 'created' ? [other.made.job] : [])]
          const ended = { kind: 'transition', to: 'FAILED', patch: { finishedAt: NOW, wakeAt: null } } as const
          await Promise.all(all.map(async (job) => store.applyDecision(job, ended, NOW, 'SUBMIT')))
        },
      ),
      { numRuns: 10 },
    )
  })

  test('limits the waiting jobs of each tenant, and accepts those of other tenants', async () => {
    const { store } = await openStore()
    const room = { maxInFlight: 1, maxWaiting: 10 }
    const limits = { ...LIMITS, maxWaiting: 3 }
    const kinds = await Promise.all(
      ['a', 'a', 'a', 'a', 'a', 'a', 'b', 'b', 'b', 'b'].map(
        async (tenant) => (await store.createJob(newJob({ tenant }), room, limits)).kind,
      ),
    )
    const of = (kind: string, from: number, to: number) => kinds.slice(from, to).filter((one) => one === kind).length
    expect([of('created', 0, 6), of('tenantFull', 0, 6)]).toEqual([4, 2])
    expect([of('created', 6, 10), of('tenantFull', 6, 10)]).toEqual([3, 1])
  })

  test('keeps usage equal to the sum over the stored jobs after any sequence of changes', async () => {
    const { store, db } = await openStore()
    const step = record({
      tenant: constantFrom('a', 'b'),
      quarter: integer({ min: 0, max: 3 }),
      end: constantFrom('SUCCESS', 'FAILED', 'LOST', null),
      quota: option(integer({ min: 0, max: 3_000_000_000 })),
    })
    await assert(
      asyncProperty(array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        await Promise.all(
          steps.map(async ({ tenant, quarter, end, quota }) => {
            const job = await createOne(store, { tenant, createdAt: NOW - quarter * USAGE_STEP_MS })
            const state = end === 'SUCCESS' ? 'CHARGED' : end === 'LOST' ? 'UNKNOWN' : 'NOT_CHARGED'
            const charge = { state, quota: state === 'CHARGED' && quota !== null ? quota % 1_000 : null } as const
            const patch = { finishedAt: NOW, wakeAt: null, leaseUntil: null, charge }
            if (end) await store.applyDecision(job, { kind: 'transition', to: end, patch }, NOW, 'FETCH')
            else await store.applyDecision(job, enqueue(job.id), NOW, 'SUBMIT')
          }),
        )
        for (const tenant of ['a', 'b']) {
          const since = startOfStep(NOW) - USAGE_STEP_MS
          const rows = await db
            .selectFrom('jobs')
            .select(['status', 'charge_state', 'charge_quota'])
            .where('tenant', '=', tenant)
            .where('created_at', '>=', since)
            .execute()
          const { counts, spent, uncertain } = await store.sumUsage(tenant, since, 3)
          for (const { status, count } of counts) expect(count).toBe(rows.filter((row) => row.status === status).length)
          expect(spent).toBe(rows.reduce((sum, row) => sum + (row.charge_quota ?? 0), 0))
          const open = rows.filter((row) => row.charge_state !== 'NOT_CHARGED' && row.charge_quota === null)
          expect(uncertain).toBe(open.length * 3)
        }
        const stored = await db.selectFrom('jobs').selectAll().where('finished_at', 'is', null).execute()
        const ended = { kind: 'transition', to: 'FAILED', patch: { finishedAt: NOW, wakeAt: null } } as const
        const jobs = await store.findJobs(stored.map(({ id }) => id).concat('job_none'))
        await Promise.all(jobs.map(async (job) => job && store.applyDecision(job, ended, NOW, 'FETCH')))
      }),
      { numRuns: 20 },
    )
  })

  test('lists and counts the jobs that match any combination of filters, in either direction', async () => {
    const { store } = await openStore()
    const made: SwapJob[] = []
    for (let n = 0; n < 24; n += 1) {
      const tags = ['all', ...(n % 2 === 0 ? ['even'] : []), ...(n % 3 === 0 ? ['third'] : [])]
      const job = await createOne(store, {
        createdAt: NOW + Math.floor(n / 3),
        tags,
        clientReference: n % 5 === 0 ? 'five' : null,
      })
      const failed = { kind: 'transition', to: 'FAILED', patch: { finishedAt: NOW, wakeAt: null } } as const
      made.push((n % 4 === 0 && (await store.applyDecision(job, failed, NOW, 'SUBMIT'))) || job)
    }
    const newest = made.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1))
    const filters = record(
      {
        tags: uniqueArray(constantFrom('all', 'even', 'third', 'none'), { maxLength: 3 }),
        clientReference: constantFrom('five', 'none'),
        statuses: uniqueArray(constantFrom('FAILED', 'PENDING', 'LOST'), { maxLength: 2 }),
        done: boolean(),
        ids: uniqueArray(constantFrom(...made.map(({ id }) => id), 'job_none'), { maxLength: 6 }),
        createdFrom: integer({ min: NOW - 1, max: NOW + 9 }),
        createdBefore: integer({ min: NOW - 1, max: NOW + 9 }),
      },
      { requiredKeys: [] },
    )
    const sequence = option(constantFrom(...made))
    const direction = constantFrom('forward', 'backward')
    await assert(
      asyncProperty(filters, sequence, direction, integer({ min: 1, max: 9 }), async (filter, from, way, limit) => {
        const fitting = newest.filter((job) => matchesFilter(job, filter))
        const at = from ? newest.indexOf(from) : null
        const isForward = way === 'forward'
        const within = fitting.filter(
          (job) => at === null || (isForward ? newest.indexOf(job) > at : newest.indexOf(job) < at),
        )
        const expected = isForward ? within.slice(0, limit) : within.slice(-limit)
        const listed = await store.listJobs('a', filter, { from, direction: way, limit })
        expect(listed.map(({ id }) => id)).toEqual(expected.map(({ id }) => id))
        expect(await store.countJobs('a', filter, 10)).toBe(Math.min(10, fitting.length))
      }),
      { numRuns: 150 },
    )
  })

  test('lets an unclaimed job wait, and does not return it as next before its retry is due', async () => {
    const { store } = await openStore()
    const held = await createOne(store, { leaseUntil: null })
    expect(held).toMatchObject({ fencing: 0, leaseUntil: null, wakeAt: NOW })
    await store.applyDecision(held, { kind: 'bookkeeping', patch: { notBefore: NOW + 5_000 } }, NOW, 'SUBMIT')
    expect(await store.findNextWaiting(NOW + 4_999, REFUSALS)).toBeNull()
    expect((await store.findNextWaiting(NOW + 5_000, REFUSALS))?.id).toBe(held.id)
  })

  test('applies no decision about a claim that was released', async () => {
    const { store } = await openStore()
    const claimed = await createOne(store)
    const release = { kind: 'bookkeeping', patch: { leaseUntil: null, notBefore: NOW + 10, wakeAt: NOW + 10 } } as const
    const released = await store.applyDecision(claimed, release, NOW + 10, 'SUBMIT')
    expect(released).toMatchObject({ status: 'PENDING', version: claimed.version, fencing: claimed.fencing })
    const unconfirmed = { kind: 'transition', to: 'UNCONFIRMED', patch: { leaseUntil: null } } as const
    expect(await store.applyDecision(claimed, unconfirmed, NOW + 20, 'RECONCILER')).toBeNull()
    expect(await store.applyDecision(claimed, { kind: 'bookkeeping', patch: { fetches: 1 } }, NOW, 'FETCH')).toBeNull()
    expect(await store.findJob(claimed.id)).toEqual(released)
  })

  test('applies a decision only to exactly the state that it was made for', async () => {
    const { store } = await openStore()
    const job = await createOne(store)
    const moved = await store.applyDecision(job, enqueue('U1'), NOW + 10, 'SUBMIT')
    expect(moved).toMatchObject({
      status: 'ON_QUEUE',
      version: 2,
      upstreamId: 'U1',
      leaseUntil: null,
      updatedAt: NOW + 10,
    })
    expect(await store.applyDecision(job, enqueue('U2'), NOW + 20, 'HOOK')).toBeNull()
    expect(await store.findJob(job.id)).toEqual(moved)
    expect(await store.listTimelines([job.id, 'job_none'])).toEqual([
      [
        { version: 1, status: 'PENDING', at: NOW, source: 'CALLER' },
        { version: 2, status: 'ON_QUEUE', at: NOW + 10, source: 'SUBMIT' },
      ],
      [],
    ])
  })

  test('applies only one of many decisions about the same state', async () => {
    const { store } = await openStore()
    const job = await createOne(store)
    const moves = await Promise.all(
      Array.from({ length: 20 }, (_unused, n) => store.applyDecision(job, enqueue(`U${n}`), NOW, 'FETCH')),
    )
    expect(moves.filter(Boolean)).toHaveLength(1)
    expect((await store.listTimelines([job.id]))[0]).toHaveLength(2)
  })

  test('applies concurrent changes even if one of them is rejected', async () => {
    const { store } = await openStore()
    const jobs = [await createOne(store), await createOne(store), await createOne(store)]
    const ids = ['U1', 'U1', 'U2']
    const moves = jobs.map(async (job, n) => store.applyDecision(job, enqueue(ids[n] ?? ''), NOW, 'FETCH'))
    const settled = await Promise.allSettled(moves)
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect((await store.findJobs(jobs.map(({ id }) => id))).map((job) => job?.status)).toEqual([
      'ON_QUEUE',
      'PENDING',
      'ON_QUEUE',
    ])
  })

  test('applies bookkeeping without a new version', async () => {
    const { store } = await openStore()
    const job = await createOne(store)
    const noted = await store.applyDecision(
      job,
      { kind: 'bookkeeping', patch: { upstreamStatus: 'X', wakeAt: 7 } },
      NOW,
      'FETCH',
    )
    expect(noted).toEqual({ ...job, upstreamStatus: 'X', wakeAt: 7 })
  })

  test('writes all fields of an outcome', async () => {
    const { store } = await openStore()
    const job = await createOne(store)
    const links = { cdnImage: null, discordImage: 'https://cdn.discordapp.com/a?ex=1' }
    const charge = { state: 'CHARGED', quota: 3 } as const
    const done = await store.applyDecision(
      job,
      {
        kind: 'transition',
        to: 'SUCCESS',
        patch: { links, charge, finishedAt: NOW + 5, wakeAt: null, upstreamStatus: 'SUCCESS' },
      },
      NOW + 5,
      'HOOK',
    )
    expect(done).toMatchObject({ links, charge, finishedAt: NOW + 5, wakeAt: null, failure: null })
    const other = await createOne(store)
    const failure = { code: 'FACE_NOT_FOUND', message: 'm', retryable: false } as const
    const failed = await store.applyDecision(
      other,
      { kind: 'transition', to: 'FAILED', patch: { failure } },
      NOW,
      'HOOK',
    )
    expect(failed?.failure).toEqual(failure)
    expect(await store.findJobs([job.id, other.id])).toEqual([done, failed])
  })

  test('returns the stored job if bookkeeping changed it since it was read', async () => {
    const { store } = await openStore()
    const job = await createOne(store)
    const patch = { upstreamStatus: 'X', wakeAt: 7, fetches: 3, failedSeenAt: 5, leaseUntil: NOW + 1, notBefore: 9 }
    await store.applyDecision(job, { kind: 'bookkeeping', patch }, NOW, 'FETCH')
    const noted = await store.applyDecision(job, { kind: 'bookkeeping', patch: { fetches: 4 } }, NOW, 'FETCH')
    expect(noted).toEqual({ ...job, ...patch, fetches: 4 })
    const moved = await store.applyDecision(
      job,
      { kind: 'transition', to: 'ON_QUEUE', patch: { upstreamId: 'U1' } },
      NOW,
      'SUBMIT',
    )
    expect(moved).toEqual({ ...noted, status: 'ON_QUEUE', version: 2, upstreamId: 'U1' })
    expect(await store.findJob(job.id)).toEqual(moved)
  })

  test('never changes a final status, even by a direct statement to the engine', async () => {
    const { db, store } = await openStore()
    const job = await createOne(store)
    await store.applyDecision(job, { kind: 'transition', to: 'LOST', patch: {} }, NOW, 'RECONCILER')
    await expect(db.updateTable('jobs').set({ status: 'SUCCESS' }).where('id', '=', job.id).execute()).rejects.toThrow(
      'a final status is never left',
    )
  })

  test('stores an upstream id for one job only', async () => {
    const { store } = await openStore()
    const [first, second] = [await createOne(store), await createOne(store)]
    await store.applyDecision(first, enqueue('U1'), NOW, 'SUBMIT')
    await expect(store.applyDecision(second, enqueue('U1'), NOW, 'SUBMIT')).rejects.toThrow(UpstreamIdTakenError)
    expect(await store.findJob(second.id)).toEqual(second)
    expect((await store.findByUpstreamId('U1'))?.id).toBe(first.id)
  })

  test("finds only the tenant's own jobs by either id, in the given order", async () => {
    const { store } = await openStore()
    const [mine, theirs] = [await createOne(store), await createOne(store, { tenant: 'b' })]
    await store.applyDecision(mine, enqueue('U1'), NOW, 'SUBMIT')
    const found = await store.findOwnJobs('a', ['nothing', 'U1', theirs.id, mine.id])
    expect(found.map((job) => job && job.id)).toEqual([null, mine.id, null, mine.id])
  })

  test('claims a waiting job for one submitter, and never a leased one', async () => {
    const { store } = await openStore()
    const job = await createOne(store)
    const given = { hookAddress: 'https://gateway/hooks/2', leaseUntil: NOW + 90_000 }
    const claim = { ...given, maxInFlight: 10 }
    expect(await store.claimSubmit(job, claim)).toBeNull()
    const waiting = await store.applyDecision(
      job,
      { kind: 'bookkeeping', patch: { leaseUntil: null, wakeAt: NOW } },
      NOW,
      'SUBMIT',
    )
    if (!waiting) throw new Error('the note was not taken')
    const claims = await Promise.all(Array.from({ length: 5 }, () => store.claimSubmit(waiting, claim)))
    expect(claims.filter(Boolean)).toEqual([{ ...waiting, ...given, fencing: 2, wakeAt: given.leaseUntil }])
    expect(await store.applyDecision(waiting, { kind: 'bookkeeping', patch: { wakeAt: 1 } }, NOW, 'SUBMIT')).toBeNull()
  })

  test('claims each due job once, the earliest first', async () => {
    const { store } = await openStore()
    const jobs = [await createOne(store, { leaseUntil: NOW - 1 }), await createOne(store, { leaseUntil: NOW - 2 })]
    await createOne(store, { leaseUntil: NOW + 1 })
    expect((await store.claimDue(NOW, NOW + 30_000, 1)).map(({ id }) => id)).toEqual([jobs[1]?.id])
    expect((await store.claimDue(NOW, NOW + 30_000, 10)).map(({ id }) => id)).toEqual([jobs[0]?.id])
    expect(await store.claimDue(NOW, NOW + 30_000, 10)).toEqual([])
  })

  test('reopens with everything that was written', async () => {
    const open = await makeDatabase()
    const first = await open()
    const job = await createOne(first.store)
    await first.engine.db.destroy()
    const { store } = await openWith(open)
    expect(await store.findJob(job.id)).toEqual(job)
  })

  test.runIf(isOnPostgres)('migrates an empty database once if two processes open it at the same time', async () => {
    const [first, second] = await openTwo()
    const job = await createOne(first.store)
    expect(await second.store.findJob(job.id)).toEqual(job)
  })

  test.runIf(!isOnPostgres)('refuses a second owner until the first has closed the database', async () => {
    const open = await makeDatabase()
    const first = await open()
    await expect(open()).rejects.toThrow(FileLockedError)
    await first.engine.db.destroy()
    await openWith(open)
  })

  test.runIf(isOnPostgres)('opens a database that a newer version has migrated, and works alongside it', async () => {
    const open = await makeDatabase()
    const newer = await openWith(open)
    const executed = sql`insert into kysely_migration values ('9999-of-a-newer-version', '2030-01-01T00:00:00.000Z')`
    await executed.execute(newer.db)
    await sql`alter table jobs add column of_a_newer_version text`.execute(newer.db)
    const older = await openWith(open)
    const job = await createOne(older.store)
    expect(await newer.store.findJob(job.id)).toEqual(job)
  })

  test('records one job for a key, however many processes get it at once', async () => {
    const stores = (await openTwo()).map(({ store }) => store)
    const idempotency = { key: 'k', fingerprint: 'f', sealedKeys: [] }
    const made = await Promise.all(
      Array.from({ length: 20 }, async (_unused, n) => stores[n % 2]?.createJob(newJob({ idempotency }), ROOM, LIMITS)),
    )
    expect(made.filter((one) => one?.kind === 'created')).toHaveLength(1)
    expect(new Set(made.map((one) => (one && 'job' in one ? one.job.id : null))).size).toBe(1)
  })

  test('has at most maxInFlight jobs in flight, however many processes submit', async () => {
    const stores = (await openTwo()).map(({ store }) => store)
    const room = { maxInFlight: 5, maxWaiting: 100 }
    const made = await Promise.all(
      Array.from({ length: 20 }, async (_unused, n) => stores[n % 2]?.createJob(newJob(), room, LIMITS)),
    )
    const waiting = made.flatMap((one) => (one?.kind === 'created' && one.job.leaseUntil === null ? [one.job] : []))
    expect(waiting).toHaveLength(15)
    const [claimed] = made.flatMap((one) => (one?.kind === 'created' && one.job.leaseUntil !== null ? [one.job] : []))
    if (!claimed) throw new Error('none was claimed')
    const patch = { finishedAt: NOW, leaseUntil: null, wakeAt: null }
    await stores[0]?.applyDecision(claimed, { kind: 'transition', to: 'FAILED', patch }, NOW, 'SUBMIT')
    const claim = { hookAddress: 'https://gateway/hooks/2', leaseUntil: NOW + 45_000, maxInFlight: 5 }
    const claims = await Promise.all(waiting.map(async (job, n) => stores[n % 2]?.claimSubmit(job, claim)))
    expect(claims.filter(Boolean)).toHaveLength(1)
  })

  test('changes each job once if two processes change and claim jobs of many tenants in opposite orders', async () => {
    const [{ store }, { store: other }] = await openTwo()
    const made: SwapJob[] = []
    for (let n = 0; n < 40; n += 1) made.push(await createOne(store, { tenant: `t${n % 4}`, leaseUntil: NOW - 1 }))
    const bookkeeping = { kind: 'bookkeeping', patch: { upstreamStatus: 'X' } } as const
    const move = async (by: JobStore, jobs: readonly SwapJob[]) => {
      const moves = jobs.map(async (job) => {
        await by.applyDecision(job, bookkeeping, NOW, 'FETCH')
        return by.applyDecision(job, enqueue(`U-${job.id}`), NOW, 'FETCH')
      })
      await by.claimDue(NOW, NOW + 1, 10)
      return Promise.all(moves)
    }
    const moved = (await Promise.all([move(store, made), move(other, made.toReversed())])).flat()
    expect(moved.filter(Boolean)).toHaveLength(40)
    const timelines = await store.listTimelines(made.map(({ id }) => id))
    expect(timelines.map(({ length }) => length)).toEqual(made.map(() => 2))
  })

  test('lets only one of two processes claim a due job', async () => {
    const [{ store: first }, { store: second }] = await openTwo()
    for (let n = 0; n < 20; n += 1) await createOne(first, { leaseUntil: NOW - 1 })
    const claimed = await Promise.all([first, second, first, second].map((store) => store.claimDue(NOW, NOW + 1, 10)))
    const ids = claimed.flat().map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('misses no change for a reader that continues from its last sequence during concurrent writes', async () => {
    const stores = (await openTwo()).map(({ store }) => store)
    const seen: string[] = []
    let isWriting = true
    const reading = (async () => {
      for (let sequence = 0; ;) {
        const isLast = !isWriting
        const range = { after: sequence, upTo: Number.MAX_SAFE_INTEGER, limit: 1_000, unfinished: false }
        const changes = (await stores[0]?.listChanges('a', range)) ?? []
        for (const change of changes) seen.push(change.job.id)
        sequence = changes.at(-1)?.sequence ?? sequence
        if (isLast) return
        // The embedded engine returns within a turn of the event loop, so this loop would block all other work.
        await nextTurn()
      }
    })()
    const made = await Promise.all(
      Array.from({ length: 200 }, async (_unused, n) =>
        stores[n % 2]?.createJob(newJob(), { maxInFlight: 1, maxWaiting: 1_000 }, LIMITS),
      ),
    )
    isWriting = false
    await reading
    const ids = made.map((one) => (one?.kind === 'created' ? one.job.id : ''))
    expect(seen.toSorted()).toEqual(ids.toSorted())
  })

  test('lists the latest changes after a sequence, the newest first', async () => {
    const { store } = await openStore()
    const jobs = [await createOne(store), await createOne(store, { tenant: 'b' }), await createOne(store)]
    const all = await store.listLatestChanges(0, 10)
    expect(all.map(({ id }) => id)).toEqual(jobs.map(({ id }) => id).toReversed())
    expect(await store.listLatestChanges(all[1]?.sequence ?? 0, 10)).toEqual([all[0]])
    expect(await store.listLatestChanges(0, 1)).toEqual([all[0]])
  })
})
