import { faultPoint } from '../lib/fault-points.ts'
import type { EventBus } from '../bus/event-bus.ts'
import type { Report } from '../domain/report.ts'
import { isDone, type SwapJob } from '../domain/swap-job.ts'
import { type Deadlines, decide, isArrow } from '../domain/transitions.ts'
import { type JobStore, UpstreamIdTakenError } from '../store/job-store.ts'
import type { Telemetry } from '../telemetry/events.ts'

export interface ApplyReportParts {
  readonly store: Pick<JobStore, 'applyDecision' | 'findJob'>
  readonly bus: Pick<EventBus, 'publish' | 'isWatched'>
  /** Hears that there is room upstream for another job. */
  readonly onRoom: () => void
  readonly telemetry: Pick<Telemetry, 'jobMoved' | 'evidenceTooLate' | 'upstreamIdTaken'>
  readonly deadlines: Deadlines
  /** In [0, 1). */
  readonly random: () => number
}

/**
 * Applies one report to a job, at most once per version, and resolves to the job as it then is.
 * A late or repeated report changes nothing and is not an error: hook, query and reconciler race by design, and the
 * loser stays silent. The only writer of a status; whoever waits for the job is woken after the commit.
 */
export type ApplyReport = (job: SwapJob, report: Report) => Promise<SwapJob>

/** Somebody else moved the job this often in a row: not a race any more, a mistake. */
const MAX_TRIES = 20

export function createApplyReport({ store, bus, onRoom, telemetry, deadlines, random }: ApplyReportParts): ApplyReport {
  const apply: ApplyReport = async (job, report) => {
    let current = job
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const decision = decide(current, report, { deadlines, random: random(), isWatched: bus.isWatched(current.id) })
      if (decision.kind === 'none') {
        if (contradicts(current, report)) telemetry.evidenceTooLate(current, report)
        return current
      }
      if (decision.kind === 'transition' && !isArrow(current.status, decision.to)) {
        throw new TypeError(`no arrow from ${current.status} to ${decision.to}`)
      }
      const written = await store.applyDecision(current, decision, report.at, report.source).catch((error: unknown) => {
        if (error instanceof UpstreamIdTakenError) return 'taken' as const
        throw error
      })
      if (written === 'taken') {
        telemetry.upstreamIdTaken(current, report)
        // An id that is another job's says nothing of this one: whether it was accepted is not known.
        return report.finding.kind === 'accepted'
          ? apply(current, { ...report, finding: { kind: 'unconfirmed' } })
          : current
      }
      if (written) {
        faultPoint('report-applied')
        if (!isInFlight(written)) onRoom()
        if (decision.kind === 'transition') {
          telemetry.jobMoved(written, report)
          bus.publish(written)
        }
        return written
      }
      const stored = await store.findJob(job.id)
      if (!stored) return current
      current = stored
    }
    throw new Error('the job was moved by others again and again')
  }
  return apply
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
