/**
 * Stores hooks durably between their 200 to the upstream and their effect. Separate from the database, so that no hook
 * is lost while the database is unavailable.
 */

/** One hook: its job, and the upstream id that its body names. */
export interface HookRecord {
  readonly jobId: string
  /** A hint; null if the body names none. */
  readonly upstreamId: string | null
}

export interface HookJournal {
  /**
   * Stores a record until it is settled; durable when it resolves. An unsettled record is written only once.
   * @returns false if the record was already stored.
   * @throws if it cannot be written.
   */
  keep(record: HookRecord): Promise<boolean>
  /** Drops a record: the hook has had its effect. */
  settle(record: HookRecord): void
  /** Records that an earlier process stored and did not settle. */
  readonly left: readonly HookRecord[]
}

/** The identity of a record: records with equal keys are the same. */
export function toRecordKey({ jobId, upstreamId }: HookRecord): string {
  return `${jobId} ${upstreamId ?? ''}`
}
