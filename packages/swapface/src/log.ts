import type { Outcome } from './job-table.ts'

/** Log events of the embedded upstream. They never contain a caller's address, a key or an image. */
export type SwapFaceEvent =
  | { readonly event: 'listening'; readonly url: string }
  | { readonly event: 'job-submitted'; readonly jobId: string }
  | {
      readonly event: 'job-finished'
      readonly jobId: string
      readonly status: Outcome['status']
      /** The code of a FAILED job; null for SUCCESS. */
      readonly failure: string | null
      readonly tookMs: number
    }
  | { readonly event: 'hook-sent'; readonly jobId: string; readonly attempt: number; readonly isDelivered: boolean }
  | { readonly event: 'swept'; readonly jobs: number }
  /** An internal fault, not caused by input: the disk, the database, the engine. */
  | { readonly event: 'fault'; readonly during: string; readonly error: unknown }

export type Log = (event: SwapFaceEvent) => void
