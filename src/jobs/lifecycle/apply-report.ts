import { faultPoint } from '../../lib/fault-points.ts'
import { createId } from '../../lib/crypto/ids.ts'
import { toSwapDocument } from '../../domain/swap-document.ts'
import { toWebhookBody } from '../../domain/webhook.ts'
import type { EventBus } from '../../bus/event-bus.ts'
import type { Report } from '../../domain/report.ts'
import { isDone, type SwapJob } from '../../domain/swap-job.ts'
import { type Deadlines, type Decision, decide, isArrow } from '../../domain/transitions.ts'
import { type JobStore, type NewWebhook, UpstreamIdTakenError } from '../../store/job-store.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import { pollSooner } from './poll-sooner.ts'

export interface ApplyReportParts {
  readonly store: Pick<JobStore, 'applyDecision' | 'findJob'>
  readonly bus: Pick<EventBus, 'publish' | 'isWatched'>
  /** Called when the job is not in flight, so another may be submitted. */
  readonly onRoom: () => void
  /** Called when a webhook was recorded. */
  readonly onWebhook: () => void
  readonly telemetry: Pick<Telemetry, 'jobMoved' | 'lateChargeKnown' | 'evidenceTooLate' | 'upstreamIdTaken'>
  readonly deadlines: Deadlines
  /** In [0, 1). */
  readonly random: () => number
}

/**
 * Applies one report to a job, at most once per version, and resolves to the job's current state. A late or duplicate
 * report is a no-op, not an error: hooks, queries and the reconciler race by design. This is the only writer of a
 * status; it publishes a wake-up after the commit.
 */
export type ApplyReport = (job: SwapJob, report: Report) => Promise<SwapJob>

/** Consecutive compare-and-set failures after which the report fails: so many are a bug, not a race. */
const MAX_TRIES = 20

export function createApplyReport(parts: ApplyReportParts): ApplyReport {
  const { store, bus, onRoom, onWebhook, telemetry, deadlines, random } = parts
  const apply: ApplyReport = async (job, report) => {
    let current = job
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const isWatched = bus.isWatched(current.id)
      const decision = decide(current, report, { deadlines, random: random(), isWatched })
      if (contradicts(current, report)) telemetry.evidenceTooLate(current, report)
      if (decision.kind === 'none') return current
      if (decision.kind === 'transition' && !isArrow(current.status, decision.to)) {
        throw new TypeError(`no arrow from ${current.status} to ${decision.to}`)
      }
      const webhook = toWebhook(current, decision, report.at)
      const written = await store
        .applyDecision(current, decision, report.at, report.source, webhook)
        .catch((error: unknown) => {
          if (error instanceof UpstreamIdTakenError) return 'taken' as const
          throw error
        })
      if (written === 'taken') {
        telemetry.upstreamIdTaken(current, report)
        // The id belongs to another job, so it is unknown whether this job was accepted.
        return report.finding.kind === 'accepted'
          ? apply(current, { ...report, finding: { kind: 'unconfirmed' } })
          : current
      }
      if (written) {
        faultPoint('report-applied')
        if (!isInFlight(written)) onRoom()
        if (webhook) onWebhook()
        if (decision.kind === 'transition') {
          telemetry.jobMoved(written, report)
          bus.publish(written)
        } else if (!isWatched && bus.isWatched(written.id)) {
          // A watcher arrived after the next poll was scheduled.
          await pollSooner(store, written, report.at)
        }
        if (current.charge.state === 'UNKNOWN' && written.charge.state !== 'UNKNOWN') telemetry.lateChargeKnown(written)
        return written
      }
      const stored = await store.findJob(job.id)
      if (!stored) return current
      current = stored
    }
    throw new Error('the job changed during each attempt to apply a report')
  }
  return apply
}

/** The webhook of a job's end; null if the job does not end or its owner wants no webhook. */
function toWebhook(job: SwapJob, decision: Decision, at: number): NewWebhook | null {
  if (job.hookUrl === null || decision.kind !== 'transition' || !isDone(decision.to)) return null
  const ended = { ...job, ...decision.patch, status: decision.to, version: job.version + 1 }
  const body = job.hookFormat === 'DOCUMENT' ? toSwapDocument(ended, ended.links) : toWebhookBody(ended, at)
  return { id: createId('evt', at), url: job.hookUrl, body: JSON.stringify(body) }
}

function isInFlight({ status, leaseUntil }: SwapJob): boolean {
  return status === 'ON_QUEUE' || (status === 'PENDING' && leaseUntil !== null)
}

function contradicts(job: SwapJob, { finding }: Report): boolean {
  if (!isDone(job.status)) return false
  return (
    (finding.kind === 'succeeded' && job.status !== 'SUCCESS') ||
    (finding.kind === 'failed' && job.status !== 'FAILED') ||
    (finding.kind === 'accepted' && job.upstreamId !== finding.upstreamId)
  )
}
