import { type HookNote, noteKey } from '../../journal/hook-journal.ts'
import type { Clock } from '../../lib/time/clock.ts'
import { createWakeableDelay, type WakeableDelay } from '../../lib/async/interruptible-delay.ts'

/** Different hooks of one job that are followed at one time: the upstream sends one kind, so more are forged. */
const MAX_OF_ONE_JOB = 16

/** A hook that was taken and has not had its effect yet. */
export interface FollowedHook {
  readonly note: HookNote
  /** The pause between two looks. */
  readonly pause: WakeableDelay
  /** Whether the upstream answered a look at this hook, without settling it. */
  wasAnswered: boolean
  /** Another hook of the job has taken its place. */
  isDropped: boolean
}

/** The hooks that this process follows, a bounded number for each job. */
export class FollowedHooks {
  readonly #clock: Pick<Clock, 'after'>
  readonly #stopping: AbortSignal
  readonly #ofJob = new Map<string, Map<string, FollowedHook>>()

  constructor(clock: Pick<Clock, 'after'>, stopping: AbortSignal) {
    this.#clock = clock
    this.#stopping = stopping
  }

  find(note: HookNote): FollowedHook | null {
    return this.#ofJob.get(note.jobId)?.get(noteKey(note)) ?? null
  }

  /** The hooks of one job, the oldest first. */
  listOf(jobId: string): readonly FollowedHook[] {
    return [...(this.#ofJob.get(jobId)?.values() ?? [])]
  }

  add(note: HookNote): FollowedHook {
    const pause = createWakeableDelay(this.#clock, this.#stopping)
    const hook: FollowedHook = { note, pause, wasAnswered: false, isDropped: false }
    const ofJob = this.#ofJob.get(note.jobId) ?? new Map<string, FollowedHook>()
    this.#ofJob.set(note.jobId, ofJob.set(noteKey(note), hook))
    return hook
  }

  delete({ note }: FollowedHook): void {
    const ofJob = this.#ofJob.get(note.jobId)
    ofJob?.delete(noteKey(note))
    if (ofJob?.size === 0) this.#ofJob.delete(note.jobId)
  }

  /**
   * Makes room for one more hook of a job. A full job loses the oldest hook that the upstream could not place.
   * @returns the hook that was dropped, or null; false if there is no room.
   */
  makeRoom(jobId: string): FollowedHook | null | false {
    const hooks = this.listOf(jobId)
    if (hooks.length < MAX_OF_ONE_JOB) return null
    const dropped = hooks.find(({ wasAnswered }) => wasAnswered)
    if (!dropped) return false
    dropped.isDropped = true
    this.delete(dropped)
    return dropped
  }
}
