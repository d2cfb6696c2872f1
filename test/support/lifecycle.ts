/** Environment for unit tests of the lifecycle modules: the real store in memory, and a manual clock. */
import { createMemoryBus, type MemoryBus } from '../../src/bus/memory.ts'
import type { Finding, Report } from '../../src/domain/report.ts'
import type { SwapJob } from '../../src/domain/swap-job.ts'
import { type ApplyReport, createApplyReport } from '../../src/jobs/lifecycle/apply-report.ts'
import { Confirmer, type ConfirmerParts } from '../../src/jobs/lifecycle/confirm-swap.ts'
import { createLeases, type Leases, SUBMIT_LEASE_MS } from '../../src/jobs/lifecycle/leases.ts'
import { createUpstreamBreaker, type UpstreamBreaker } from '../../src/jobs/lifecycle/upstream-breaker.ts'
import { createRateLimiter } from '../../src/lib/time/rate-limiter.ts'
import { type Background, createBackground } from '../../src/lib/async/background.ts'
import type { JobStore, NewSwapJob } from '../../src/store/job-store.ts'
import type { Engine } from '../../src/store/sql/engine.ts'
import type { Telemetry } from '../../src/telemetry/events.ts'
import { closeAfterTest } from './close-after-test.ts'
import { LIMITS, makeNewSwapJob } from './jobs.ts'
import { createManualClock, type ManualClock } from './manual-clock.ts'
import { openMemoryStore } from './memory-store.ts'
import { recordTelemetry } from './record-telemetry.ts'
import { createUpstreamPort, type UpstreamPort } from './upstream-port.ts'

export const DEADLINES = { submitBeforeMs: 900_000, onQueueMs: 900_000, unconfirmedMs: 1_800_000 }
/** Randomness in the middle: no jitter. */
export const MIDDLE = () => 0.5

export interface Lifecycle {
  readonly engine: Engine
  readonly store: JobStore
  readonly clock: ManualClock
  readonly bus: MemoryBus
  readonly background: Background
  readonly breaker: UpstreamBreaker
  readonly leases: Leases
  readonly upstream: UpstreamPort
  readonly applyReport: ApplyReport
  readonly telemetry: Telemetry
  readonly stopping: AbortSignal
  stop(): void
  /** Number of wake-ups of the queue, and of the webhook sender. */
  readonly wakes: { room: number; webhook: number }
  /** Returns the arguments of each call of one telemetry function. */
  eventsOf(name: keyof Telemetry): readonly (readonly unknown[])[]
  /** Records a job. It waits unless it has a lease. */
  create(id: string, over?: Partial<NewSwapJob>): Promise<SwapJob>
  /** Records a job that is being submitted. */
  createClaimed(id: string, over?: Partial<NewSwapJob>): Promise<SwapJob>
  /** Records a job that the upstream has as `U-<id>`. */
  createOnQueue(id: string, over?: Partial<NewSwapJob>): Promise<SwapJob>
  /** Records a job whose submit was ambiguous. */
  createUnconfirmed(id: string, over?: Partial<NewSwapJob>): Promise<SwapJob>
  report(job: SwapJob, finding: Finding, source?: Report['source']): Promise<SwapJob>
  /** Reads the stored job. */
  read(id: string): Promise<SwapJob>
  /** Returns the job's statuses in order. */
  statusesOf(id: string): Promise<string[]>
}

export async function openLifecycle(): Promise<Lifecycle> {
  const { engine, store } = await openMemoryStore()
  const clock = createManualClock()
  const bus = createMemoryBus()
  const { telemetry, events } = recordTelemetry()
  const background = createBackground(telemetry.backgroundFailed)
  const stopping = new AbortController()
  // Registered last, so it stops all work before the database is emptied for the next test.
  closeAfterTest(async () => {
    stopping.abort()
    await background.settled()
  })
  const wakes = { room: 0, webhook: 0 }
  const applyReport = createApplyReport({
    store,
    bus,
    onRoom: () => {
      wakes.room += 1
    },
    onWebhook: () => {
      wakes.webhook += 1
    },
    telemetry,
    deadlines: DEADLINES,
    random: MIDDLE,
  })

  const create = async (id: string, over: Partial<NewSwapJob> = {}) => {
    const room = { maxInFlight: 1_000, maxWaiting: 1_000 }
    const made = await store.createJob(makeNewSwapJob(id, clock.now(), over), room, LIMITS)
    if (made.kind !== 'created') throw new Error(`the job was not created: ${made.kind}`)
    return made.job
  }
  const createClaimed = async (id: string, over: Partial<NewSwapJob> = {}) =>
    create(id, { leaseUntil: clock.now() + SUBMIT_LEASE_MS, ...over })
  const report = async (job: SwapJob, finding: Finding, source: Report['source'] = 'SUBMIT') =>
    applyReport(job, { source, at: clock.now(), fencing: job.fencing, finding })
  const read = async (id: string) => {
    const job = await store.findJob(id)
    if (!job) throw new Error(`${id} is not stored`)
    return job
  }

  return {
    engine,
    store,
    clock,
    bus,
    background,
    breaker: createUpstreamBreaker(bus, clock, MIDDLE),
    leases: createLeases(store, background, clock),
    upstream: createUpstreamPort(),
    applyReport,
    telemetry,
    stopping: stopping.signal,
    stop: () => stopping.abort(),
    wakes,
    eventsOf: (name) => events.filter((event) => event.name === name).map(({ args }) => args),
    create,
    createClaimed,
    createOnQueue: async (id, over) =>
      report(await createClaimed(id, over), { kind: 'accepted', upstreamId: `U-${id}` }),
    createUnconfirmed: async (id, over) => report(await createClaimed(id, over), { kind: 'unconfirmed' }),
    report,
    read,
    statusesOf: async (id) => {
      const [timeline = []] = await store.listTimelines([id])
      return timeline.map(({ status }) => status)
    },
  }
}

/** Creates a confirmer that makes no copies, and whose rate limit of 1,000 fetches per second no test reaches. */
export function createConfirmerOf(lifecycle: Lifecycle, over: Partial<ConfirmerParts> = {}): Confirmer {
  const { store, upstream, applyReport, breaker, telemetry, clock, stopping } = lifecycle
  const mirror = { copySoon: async () => ({ copyId: null, mirrorFailure: null }) }
  const fetchLimiter = createRateLimiter(1_000, clock)
  const parts = { store, upstream, applyReport, breaker, mirror, fetchLimiter, telemetry, clock, stopping }
  return new Confirmer({ ...parts, ...over })
}
