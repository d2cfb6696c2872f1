/** Cache of responses by viewer and request body. Each has a condition that is checked before it is sent again. */
import { toViewerKey, type Viewer } from '../../auth/viewer.ts'
import type { SwapJob } from '../../domain/swap-job.ts'
import { createTtlCache } from '../../lib/time/ttl-cache.ts'
import type { OperationName } from '../operation/record-operation.ts'
import type { UseCases } from '../schema/context.ts'

/** Maximum characters of all responses with their keys, and of one response. */
const MAX_CHARS = 16_000_000
const MAX_RESPONSE_CHARS = 64_000
/** Far shorter than the validity of a signed address in a response. */
const LIFETIME_MS = 5_000

export interface Answer {
  readonly operation: OperationName
  readonly status: number
  readonly type: string
  readonly text: string
}

/** When a cached response is still valid. */
export type Condition =
  /** The store's version of the tenant's jobs has not changed. */
  | { readonly kind: 'stored'; readonly version: string }
  /** Reading the jobs again returns the same objects: an unchanged job is the same object (`JobStore.findOwnJobs`). */
  | {
      readonly kind: 'jobs'
      readonly ids: readonly string[]
      readonly jobs: readonly (SwapJob | null)[]
      /**
       * The version at which all of them were done and unchanged: they are not read again until it changes. Null if one
       * is not done, because reading it may fetch it from the upstream.
       */
      doneAt: string | null
    }

interface CachedResponse {
  readonly answer: Answer
  readonly condition: Condition
}

export interface ResponseCache {
  /** The key of a request. */
  keyOf(viewer: Viewer, body: Buffer): string
  /** The cached response; null if there is none of this content type, or it is no longer valid. */
  get(viewer: Viewer, key: string, type: string): Promise<Answer | null>
  set(key: string, answer: Answer, condition: Condition): void
}

export function createResponseCache({
  jobsVersion,
  openReading,
}: Pick<UseCases, 'jobsVersion' | 'openReading'>): ResponseCache {
  // The cache keeps two generations, of this time and size each.
  const responses = createTtlCache<CachedResponse>(
    LIFETIME_MS / 2,
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

  const isValid = async (viewer: Viewer, condition: Condition): Promise<boolean> => {
    if (condition.kind === 'stored') return jobsVersion(viewer.tenant) === condition.version
    const version = jobsVersion(viewer.tenant)
    if (condition.doneAt !== null && condition.doneAt === version) return true
    const jobs = await openReading(viewer)(condition.ids)
    const isUnchanged = jobs.every((job, n) => job === condition.jobs[n])
    if (isUnchanged && condition.doneAt !== null) condition.doneAt = version
    return isUnchanged
  }

  return {
    keyOf: (viewer, body) => viewerKeyOf(viewer) + body.toString('latin1'),
    get: async (viewer, key, type) => {
      const found = responses.get(key)
      if (found?.answer.type !== type) return null
      return (await isValid(viewer, found.condition).catch(() => false)) ? found.answer : null
    },
    set: (key, answer, condition) => {
      if (answer.text.length > MAX_RESPONSE_CHARS) return
      responses.set(key, { answer: { ...answer, text: flatten(answer.text) }, condition })
    },
  }
}

/** Flattens a concatenated string; otherwise V8 walks its pieces on each send. */
function flatten(text: string): string {
  return Buffer.from(text).toString()
}
