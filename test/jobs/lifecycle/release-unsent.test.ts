/** Releases a claim whose commit was in doubt and under which nothing was sent, if this process made it. */
import { expect, test } from 'vitest'
import { createMemoryBus } from '../../../src/bus/memory.ts'
import type { Finding } from '../../../src/domain/report.ts'
import type { SwapJob } from '../../../src/domain/swap-job.ts'
import { createApplyReport } from '../../../src/jobs/lifecycle/apply-report.ts'
import { createLeases } from '../../../src/jobs/lifecycle/leases.ts'
import { createReleaseUnsent } from '../../../src/jobs/lifecycle/release-unsent.ts'
import { createBackground } from '../../../src/lib/async/background.ts'
import { CommitUnknownError } from '../../../src/store/job-store.ts'
import { createJobStore } from '../../../src/store/sql/job-store.ts'
import { silentTelemetry } from '../../../src/telemetry/combine.ts'
import { createDeferred } from '../../support/deferred.ts'
import { LIMITS, makeNewSwapJob } from '../../support/jobs.ts'
import { openEngine } from '../../support/open-engine.ts'
import { createStepClock } from '../../support/step-clock.ts'

const ROOM = { maxInFlight: 10, maxWaiting: 10 }

/** Creates a job that waited, was claimed, and then received the `findings`. */
async function openStage(findings: readonly Finding[]) {
  const store = createJobStore(await openEngine())
  const clock = createStepClock()
  const background = createBackground((_what, error) => expect.unreachable(String(error)))
  const leases = createLeases(store, background, clock)
  const telemetry = silentTelemetry
  const deadlines = { submitBeforeMs: 900_000, onQueueMs: 900_000, unconfirmedMs: 900_000 }
  const bus = createMemoryBus()
  const applyReport = createApplyReport({
    store,
    bus,
    onRoom: () => {},
    onWebhook: () => {},
    telemetry,
    deadlines,
    random: () => 0.5,
  })
  const { signal } = new AbortController()
  const release = createReleaseUnsent({ store, applyReport, leases, background, clock, stopping: signal })
  const made = await store.createJob(makeNewSwapJob('job_1', clock.now()), ROOM, LIMITS)
  if (made.kind !== 'created') throw new Error(made.kind)
  const leaseUntil = clock.now() + 12_000
  const claim = async () => {
    const job = await store.findJob('job_1')
    if (!job) throw new Error('no job')
    return store.claimSubmit(job, {
      hookAddress: 'https://gateway/hooks/1',
      leaseUntil,
      maxInFlight: 10,
    })
  }
  await claim()
  for (const finding of findings) {
    const job = await store.findJob('job_1')
    if (job) await applyReport(job, { source: 'SUBMIT', at: clock.now(), fencing: 1, finding })
    if (finding.kind === 'released') await claim()
  }
  return { store, release, leases, background, leaseUntil }
}

const read = ({ status, fencing, leaseUntil, charge }: SwapJob) => ({
  status,
  fencing,
  isClaimed: leaseUntil !== null,
  charge: charge.state,
})

const CLAIMED = { status: 'PENDING', fencing: 1, isClaimed: true, charge: 'PENDING' }
const WAITS = { ...CLAIMED, isClaimed: false }
const FAILED = { status: 'FAILED', fencing: 1, isClaimed: false, charge: 'NOT_CHARGED' }

test.each<[string, { isRecorded: boolean | null; mayWait: boolean; isOther?: true; findings: Finding[]; end: object }]>(
  [
    ['waits again if the commit was made', { isRecorded: true, mayWait: true, findings: [], end: WAITS }],
    ['fails if it may not wait', { isRecorded: true, mayWait: false, findings: [], end: FAILED }],
    [
      'keeps a claim that is another process’s, because the commit was not made',
      { isRecorded: false, mayWait: true, findings: [], end: CLAIMED },
    ],
    [
      'keeps the claim of another process, whose lease expires at a different time',
      { isRecorded: true, mayWait: true, isOther: true, findings: [], end: CLAIMED },
    ],
    [
      'keeps its claim if the outcome of the commit stays unknown',
      { isRecorded: null, mayWait: true, findings: [], end: CLAIMED },
    ],
    [
      'fails without a charge if it has been presumed sent meanwhile',
      { isRecorded: true, mayWait: true, findings: [{ kind: 'unconfirmed' }], end: FAILED },
    ],
    [
      'keeps a later claim',
      {
        isRecorded: true,
        mayWait: true,
        findings: [{ kind: 'released', retryAt: 0 }],
        end: { ...CLAIMED, fencing: 2 },
      },
    ],
    [
      'keeps an id that a hook has attached',
      {
        isRecorded: true,
        mayWait: true,
        findings: [{ kind: 'accepted', upstreamId: 'u' }],
        end: { status: 'ON_QUEUE', fencing: 1, isClaimed: false, charge: 'PENDING' },
      },
    ],
  ],
)('a job whose claim was in doubt %s', async (_what, { isRecorded, mayWait, isOther = false, findings, end }) => {
  const { store, release, leases, background, leaseUntil } = await openStage(findings)
  const outcome = createDeferred<boolean | null>()
  release(
    { jobId: 'job_1', fencing: 1, leaseUntil: leaseUntil + (isOther ? 1 : 0), mayWait },
    new CommitUnknownError(null, async () => outcome.promise),
  )
  // The process must not presume its own submitter dead while the commit is in doubt.
  expect(leases.isHeld('job_1')).toBe(true)
  outcome.resolve(isRecorded)
  await background.settled()
  expect(leases.isHeld('job_1')).toBe(false)
  const job = await store.findJob('job_1')
  expect(job && read(job)).toEqual(end)
})
