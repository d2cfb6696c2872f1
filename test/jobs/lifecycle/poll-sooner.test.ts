/** A subscriber that starts during a poll of the job waits for the next poll no longer than other subscribers. */
import { expect, test } from 'vitest'
import { createMemoryBus } from '../../../src/bus/memory.ts'
import { WATCHED_EVERY_MS } from '../../../src/domain/poll-schedule.ts'
import { createApplyReport } from '../../../src/jobs/lifecycle/apply-report.ts'
import { silentTelemetry } from '../../../src/telemetry/combine.ts'
import { LIMITS, makeNewSwapJob } from '../../support/jobs.ts'
import { closeAfterTest } from '../../support/close-after-test.ts'
import { openMemoryStore } from '../../support/memory-store.ts'

const NOW = 1_700_000_000_000

async function openJob() {
  const { store } = await openMemoryStore()
  const made = await store.createJob(makeNewSwapJob('job_1', NOW), { maxInFlight: 1, maxWaiting: 1 }, LIMITS)
  if (made.kind !== 'created') throw new Error(made.kind)
  const patch = { upstreamId: 'U1', leaseUntil: null, fetches: 9, deadlineAt: NOW + 900_000 }
  const job = await store.applyDecision(made.job, { kind: 'transition', to: 'ON_QUEUE', patch }, NOW, 'SUBMIT')
  if (!job) throw new Error('the job has gone elsewhere')
  return { store, job }
}

test.each(['before', 'while'])(
  'a job watched %s its next poll is stored is polled within ten seconds',
  async (when) => {
    const { store, job } = await openJob()
    const bus = createMemoryBus()
    const watchWhen = (moment: string) => {
      if (moment !== when) return
      const detach = bus.subscribeJob(job.id, () => {})
      closeAfterTest(async () => detach())
    }
    const applyReport = createApplyReport({
      bus,
      store: {
        ...store,
        applyDecision: async (...args) => {
          watchWhen('while')
          return store.applyDecision(...args)
        },
      },
      onRoom: () => {},
      onWebhook: () => {},
      telemetry: silentTelemetry,
      deadlines: { submitBeforeMs: 900_000, onQueueMs: 900_000, unconfirmedMs: 900_000 },
      random: () => 0.5,
    })
    watchWhen('before')
    const finding = { kind: 'unfinished', upstreamId: 'U1', word: 'ON_QUEUE' } as const
    await applyReport(job, { source: 'RECONCILER', at: NOW, fencing: job.fencing, finding })
    expect((await store.findJob(job.id))?.wakeAt).toBeLessThanOrEqual(NOW + WATCHED_EVERY_MS)
  },
)
