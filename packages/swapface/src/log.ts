import type { Outcome } from './job-table.ts'

/** What the embedded upstream reports of itself. No address, key or image is ever part of it. */
export type SwapFaceEvent =
  | { readonly event: 'listening'; readonly url: string }
  | { readonly event: 'job-submitted'; readonly jobId: string }
  | {
      readonly event: 'job-finished'
      readonly jobId: string
      readonly status: Outcome['status']
      /** Why it FAILED; null for a SUCCESS. */
      readonly failure: string | null
      readonly tookMs: number
    }
  | { readonly event: 'hook-sent'; readonly jobId: string; readonly attempt: number; readonly isDelivered: boolean }
  | { readonly event: 'swept'; readonly jobs: number }
  /** Something that is nobody's input: a disk, the database, the engine. */
  | { readonly event: 'fault'; readonly during: string; readonly error: unknown }

export type Log = (event: SwapFaceEvent) => void
