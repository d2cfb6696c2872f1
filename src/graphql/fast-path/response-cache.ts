/** Answers that are given again to the same viewer for the same bytes, while they are surely what would be said. */
import { toViewerKey, type Viewer } from '../../auth/viewer.ts'
import type { SwapJob } from '../../domain/swap-job.ts'
import { createTtlCache } from '../../lib/time/ttl-cache.ts'
import type { UseCases } from '../schema/context.ts'

/** How many characters in all, with what was asked, and of one. */
const MAX_CHARS = 16_000_000
const MAX_ANSWER_CHARS = 64_000
/** What another process has erased is given for at most this long; an address ends no sooner than hours after it was made. */
const KEPT_FOR_MS = 5_000

export interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

/** As long as what an answer is true. */
export type Condition =
  | { readonly kind: 'always' }
  /** The tenant's jobs are stored as they were, by the name of that state. */
  | { readonly kind: 'stored'; readonly state: string }
  /** The jobs, looked up anew, are as they were. */
  | { readonly kind: 'jobs'; readonly ids: readonly string[]; readonly jobs: readonly (SwapJob | null)[] }

interface CachedResponse {
  readonly answer: Answer
  readonly condition: Condition
}

export interface ResponseCache {
  /** What names a request among others. */
  keyOf(viewer: Viewer, body: Buffer): string
  /** @param type the content type of the answer. */
  recall(viewer: Viewer, key: string, type: string): Promise<Answer | null>
  keep(key: string, answer: Answer, condition: Condition): void
  clear(): void
}

export function createResponseCache({
  jobsVersion,
  openReading,
}: Pick<UseCases, 'jobsVersion' | 'openReading'>): ResponseCache {
  // Half of each: of what is remembered, some is in its second half.
  const kept = createTtlCache<CachedResponse>(
    KEPT_FOR_MS / 2,
    () => performance.now(),
    MAX_CHARS / 2,
    (key, { answer }) => key.length + answer.text.length,
  )
  const viewerKeys = new WeakMap<Viewer, string>()

  const viewerKeyOf = (viewer: Viewer): string => {
    const known = viewerKeys.get(viewer)
    if (known !== undefined) return known
    const key = toViewerKey(viewer)
    viewerKeys.set(viewer, key)
    return key
  }

  const isStillSo = async (viewer: Viewer, condition: Exclude<Condition, { kind: 'always' }>): Promise<boolean> => {
    if (condition.kind === 'stored') return jobsVersion(viewer.tenant) === condition.state
    // One that has changed is another object.
    const jobs = await openReading(viewer)(condition.ids)
    return jobs.every((job, n) => job === condition.jobs[n])
  }

  return {
    keyOf: (viewer, body) => viewerKeyOf(viewer) + body.toString('latin1'),
    recall: async (viewer, key, type) => {
      const found = kept.get(key)
      if (found?.answer.type !== type) return null
      if (found.condition.kind === 'always') return found.answer
      return (await isStillSo(viewer, found.condition).catch(() => false)) ? found.answer : null
    },
    keep: (key, answer, condition) => {
      if (answer.text.length > MAX_ANSWER_CHARS) return
      kept.set(key, { answer: { ...answer, text: flatten(answer.text) }, condition })
    },
    clear: kept.clear,
  }
}

/** In one piece: a text that was put together is walked through piece by piece each time it is sent. */
function flatten(text: string): string {
  return Buffer.from(text).toString()
}
