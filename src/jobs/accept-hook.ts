/**
 * Taking a hook: token, journal, 200, and only then the work. What was kept is followed until it has had its effect:
 * through a fetch that fails or lags behind, a database that is away, and the end of this process.
 */
import { faultPoint } from '../lib/fault-points.ts'
import type { Background } from '../lib/background.ts'
import { retryDelayMs } from '../lib/backoff.ts'
import { createWakeableDelay, type WakeableDelay } from '../lib/wakeable-delay.ts'
import type { Clock } from '../lib/clock.ts'
import { isDone } from '../domain/swap-job.ts'
import { type HookJournal, type HookNote, noteKey } from '../journal/hook-journal.ts'
import type { JobStore } from '../store/job-store.ts'
import type { Telemetry } from '../telemetry/events.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { Confirmer } from './confirm-swap.ts'
import type { HookAddresses } from './hook-addresses.ts'

/** Looks that a hook is worth for a job that the reconciler looks after as well. */
const MAX_LOOKS = 6

export interface HookTakerParts {
  readonly store: Pick<JobStore, 'findJob'>
  readonly journal: HookJournal
  readonly upstream: Pick<Upstream, 'readHookId'>
  readonly confirmer: Pick<Confirmer, 'confirm'>
  readonly hookAddresses: Pick<HookAddresses, 'parseToken'>
  readonly telemetry: Pick<Telemetry, 'hookRefused' | 'hookNotKept' | 'backgroundFailed'>
  readonly background: Background
  readonly clock: Clock
  readonly random: () => number
  readonly stopping: AbortSignal
}

/** `kept`: the job will be looked at, whatever happens to this process. `notKept`: it could not be written. */
export type HookVerdict = 'kept' | 'notKept'

export interface HookTaker {
  /** The job that a hook's token was made for; null for one that is not ours, which costs no query and no write. */
  recognise(token: string): string | null
  /**
   * Takes one hook of a job. The body is a hint: what changes the job is our own fetch. Twice, late, or for a finished
   * job: no difference, no error.
   */
  accept(jobId: string, body: string): Promise<HookVerdict>
  /** Whether a hook of the job was taken that has not had its effect yet. */
  isFollowing(jobId: string): boolean
}

/** Follows at once what an earlier process has kept. */
export function openHookTaker(parts: HookTakerParts): HookTaker {
  const { store, journal, upstream, confirmer, hookAddresses, telemetry, background, clock, random, stopping } = parts
  /** Whoever follows a note waits here between two looks. */
  const waits = new Map<string, { readonly jobId: string; readonly delay: WakeableDelay }>()

  /** @returns whether the hook has had its effect. */
  const look = async (note: HookNote, looks: number): Promise<boolean> => {
    try {
      const job = await store.findJob(note.jobId)
      if (!job || isDone(job.status)) return true
      const { job: looked, isForeign } = await confirmer.confirm(job, 'HOOK', note.upstreamId)
      if (isDone(looked.status) || isForeign) return true
      // Without an id of its own the job has nobody else to ask for it; without a hint there is nothing to ask.
      return looked.upstreamId === null ? note.upstreamId === null : looks >= MAX_LOOKS
    } catch (error) {
      telemetry.backgroundFailed('confirm a hook', error)
      return false
    }
  }

  const follow = async (note: HookNote) => {
    const delay = createWakeableDelay(clock, stopping)
    waits.set(noteKey(note), { jobId: note.jobId, delay })
    for (let looks = 1; !stopping.aborted; looks += 1) {
      if (await look(note, looks)) {
        waits.delete(noteKey(note))
        journal.settle(note)
        return
      }
      await delay.wait(retryDelayMs(looks, random()))
    }
  }

  for (const note of journal.left) background.run('follow a hook', () => follow(note))

  return {
    isFollowing: (jobId) => [...waits.values()].some((wait) => wait.jobId === jobId),
    recognise: (token) => {
      const jobId = hookAddresses.parseToken(token)
      if (jobId === null) telemetry.hookRefused()
      return jobId
    },
    accept: async (jobId, body) => {
      const note = { jobId, upstreamId: upstream.readHookId(body) }
      faultPoint('hook-read')
      try {
        const isNew = await journal.keep(note)
        faultPoint('hook-journaled')
        if (isNew) background.run('follow a hook', () => follow(note))
        else waits.get(noteKey(note))?.delay.wake()
        return 'kept'
      } catch (error) {
        telemetry.hookNotKept(error)
        return 'notKept'
      }
    },
  }
}
