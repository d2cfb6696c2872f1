import { type HookRecord, toRecordKey } from '../../journal/hook-journal.ts'
import type { Clock } from '../../lib/time/clock.ts'
import { createInterruptibleDelay, type InterruptibleDelay } from '../../lib/async/interruptible-delay.ts'

/** Distinct hooks followed per job. The upstream names one id for each job, so most of that many are forged. */
const MAX_OF_ONE_JOB = 16

/** A hook that was accepted and is not settled yet. */
export interface FollowedHook {
  readonly record: HookRecord
  /** The delay before the next check. */
  readonly pause: InterruptibleDelay
  /** Whether the upstream answered a check of this hook without settling it. */
  wasAnswered: boolean
  /** Whether a newer hook of the job replaced this one. */
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

  find(record: HookRecord): FollowedHook | null {
    return this.#ofJob.get(record.jobId)?.get(toRecordKey(record)) ?? null
  }

  /** The hooks of one job, the oldest first. */
  listOf(jobId: string): readonly FollowedHook[] {
    return [...(this.#ofJob.get(jobId)?.values() ?? [])]
  }

  add(record: HookRecord): FollowedHook {
    const pause = createInterruptibleDelay(this.#clock, this.#stopping)
    const hook: FollowedHook = { record, pause, wasAnswered: false, isDropped: false }
    const ofJob = this.#ofJob.get(record.jobId) ?? new Map<string, FollowedHook>()
    this.#ofJob.set(record.jobId, ofJob.set(toRecordKey(record), hook))
    return hook
  }

  delete({ record }: FollowedHook): void {
    const ofJob = this.#ofJob.get(record.jobId)
    ofJob?.delete(toRecordKey(record))
    if (ofJob?.size === 0) this.#ofJob.delete(record.jobId)
  }

  /**
   * Makes room for one more hook of a job. At the limit, drops the oldest hook that the upstream answered without
   * settling.
   * @returns the dropped hook; null if none had to be dropped; false if none can be.
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
