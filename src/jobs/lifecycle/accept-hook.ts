/**
 * Accepts hooks: verifies the token and journals the hook before the 200, then follows it in the background. A
 * journaled hook is followed until the verdict on its own id settles it, across failed fetches, database outages and
 * restarts.
 */
import { faultPoint } from '../../lib/fault-points.ts'
import type { Background } from '../../lib/async/background.ts'
import { retryDelayMs } from '../../lib/time/backoff.ts'
import type { Clock } from '../../lib/time/clock.ts'
import { isDone, isSettled } from '../../domain/swap-job.ts'
import type { HookJournal, HookRecord } from '../../journal/hook-journal.ts'
import type { JobStore } from '../../store/job-store.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import type { Upstream } from '../../upstream/upstream.ts'
import type { Confirmer } from './confirm-swap.ts'
import { type FollowedHook, FollowedHooks } from './followed-hooks.ts'
import type { HookAddresses } from './hook-addresses.ts'

/** Maximum checks of a hook whose job has an upstream id; the reconciler polls such a job too. */
const MAX_CHECKS = 6

export interface HookReceiverParts {
  readonly store: Pick<JobStore, 'findJob'>
  readonly journal: HookJournal
  readonly upstream: Pick<Upstream, 'readHookId'>
  readonly confirmer: Pick<Confirmer, 'confirmHook'>
  readonly hookAddresses: Pick<HookAddresses, 'parseToken'>
  readonly telemetry: Pick<Telemetry, 'hookRecorded' | 'hookRefused' | 'hookNotRecorded' | 'backgroundFailed'>
  readonly background: Background
  readonly clock: Clock
  readonly random: () => number
  readonly stopping: AbortSignal
}

/** `recorded`: the hook is in the journal and will be followed, even after a crash. `notRecorded`: it is not. */
export type HookVerdict = 'recorded' | 'notRecorded'

export interface HookReceiver {
  /** Returns the job id of a valid hook token; null for a forged one, which costs no query and no write. */
  recognise(token: string): string | null
  /**
   * Journals one hook of a job and follows it. The body is a hint: only the gateway's own fetch changes the job. A
   * duplicate or late hook, or one for a finished job, is a no-op and not an error.
   */
  accept(jobId: string, body: string): Promise<HookVerdict>
  /**
   * Checks every unsettled hook of the job once more. Resolves to false if the upstream could not be reached for one of
   * them; the caller must then repeat the check.
   */
  checkOnceMore(jobId: string): Promise<boolean>
}

/** Opens the receiver of hooks, which at once resumes the hooks that an earlier process left in the journal. */
export function openHookReceiver(parts: HookReceiverParts): HookReceiver {
  const { store, journal, upstream, confirmer, hookAddresses, telemetry, background, clock, random, stopping } = parts
  const followed = new FollowedHooks(clock, stopping)

  /** @returns whether the hook is settled, and whether the upstream could be reached. */
  const checkHook = async ({ jobId, upstreamId }: HookRecord, checks: number) => {
    const job = await store.findJob(jobId)
    if (!job || isSettled(job)) return { isSettled: true, isReached: true }
    const { job: checked, isForeign, isReached } = await confirmer.confirmHook(job, upstreamId)
    if (isDone(checked.status) || isForeign) return { isSettled: true, isReached: true }
    // A job without an id of its own is not polled: only its hooks can name one.
    const isOver = checked.upstreamId === null ? upstreamId === null : checks >= MAX_CHECKS
    return { isSettled: isOver, isReached }
  }

  const follow = async (hook: FollowedHook) => {
    for (let checks = 1; !stopping.aborted && !hook.isDropped; checks += 1) {
      try {
        const checked = await checkHook(hook.record, checks)
        if (hook.isDropped) return
        if (checked.isSettled) {
          followed.delete(hook)
          journal.settle(hook.record)
          return
        }
        hook.wasAnswered ||= checked.isReached
      } catch (error) {
        telemetry.backgroundFailed('confirm a hook', error)
      }
      await hook.pause.wait(retryDelayMs(checks, random()))
    }
  }

  for (const record of journal.left) {
    const hook = followed.add(record)
    background.run('process a hook', () => follow(hook))
  }

  /** @throws if the job has too many hooks, and none of them can be dropped. */
  const startFollowing = (record: HookRecord): FollowedHook => {
    const dropped = followed.makeRoom(record.jobId)
    if (dropped === false) throw new Error('too many different hooks of one job are waiting')
    if (dropped) {
      dropped.pause.wake()
      journal.settle(dropped.record)
    }
    return followed.add(record)
  }

  return {
    checkOnceMore: async (jobId) => {
      const checks = await Promise.all(followed.listOf(jobId).map(async ({ record }) => checkHook(record, 1)))
      return checks.every(({ isReached }) => isReached)
    },
    recognise: (token) => {
      const jobId = hookAddresses.parseToken(token)
      if (jobId === null) telemetry.hookRefused()
      return jobId
    },
    accept: async (jobId, body) => {
      const record = { jobId, upstreamId: upstream.readHookId(body) }
      const receivedAt = clock.now()
      faultPoint('hook-read')
      const known = followed.find(record)
      let hook = known
      try {
        hook ??= startFollowing(record)
        await journal.keep(record)
        faultPoint('hook-journaled')
        telemetry.hookRecorded(jobId, receivedAt)
        const added = hook
        if (known) known.pause.wake()
        else background.run('process a hook', () => follow(added))
        return 'recorded'
      } catch (error) {
        if (hook && !known) followed.delete(hook)
        telemetry.hookNotRecorded(error)
        return 'notRecorded'
      }
    },
  }
}
