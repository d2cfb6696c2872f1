/**
 * What keeps a hook between the 200 that the upstream was given and the moment it has had its effect. Apart from the
 * database, so that a hook is not lost while that is away.
 */

/** One hook: for which job it came, and what its body named. */
export interface HookRecord {
  readonly jobId: string
  /** A hint; null where the body named none. */
  readonly upstreamId: string | null
}

export interface HookJournal {
  /**
   * Keeps a note until it is settled; on disk when it resolves. The same note again, before it is settled, costs
   * nothing.
   * @returns false when the note was kept already.
   * @throws when it cannot be written.
   */
  keep(record: HookRecord): Promise<boolean>
  /** The note has had its effect. */
  settle(record: HookRecord): void
  /** What an earlier process kept and did not settle. */
  readonly left: readonly HookRecord[]
}

/** What makes two notes the same. */
export function toRecordKey({ jobId, upstreamId }: HookRecord): string {
  return `${jobId} ${upstreamId ?? ''}`
}
