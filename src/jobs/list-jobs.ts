import { requireScope, type Viewer } from '../auth/viewer.ts'
import { GatewayError } from '../domain/errors.ts'
import { checkFilter, type JobFilter } from '../domain/job-filter.ts'
import { isStorable } from '../domain/storable.ts'
import type { SwapJob } from '../domain/swap-job.ts'
import type { JobStore, ListCursor } from '../store/job-store.ts'

export const MAX_PAGE = 100
export const DEFAULT_PAGE = 20
const MAX_COUNTED = 10_000

/** Relay's arguments of a connection. */
export interface PageArguments {
  readonly first?: number | null | undefined
  readonly after?: string | null | undefined
  readonly last?: number | null | undefined
  readonly before?: string | null | undefined
}

export interface JobPage {
  readonly jobs: readonly SwapJob[]
  readonly hasNextPage: boolean
  readonly hasPreviousPage: boolean
  /** Counts the jobs that match, up to 10,000. Queries the store only when called. */
  count(): Promise<number>
}

/**
 * Lists a page of the viewer's jobs, the newest first, as they are stored: it never queries the upstream.
 * @throws {GatewayError} code INVALID_INPUT if the arguments contradict each other or are out of range.
 */
export type ListJobs = (viewer: Viewer, filter: JobFilter, page: PageArguments) => Promise<JobPage>

export function createListJobs(store: Pick<JobStore, 'listJobs' | 'countJobs'>): ListJobs {
  return async (viewer, asked, { first, after, last, before }) => {
    requireScope(viewer, 'swap:read')
    checkFilter(asked)
    if ((first != null || after != null) && (last != null || before != null)) {
      throw new GatewayError('INVALID_INPUT', 'Use first with after, or last with before.')
    }
    const isBackward = last != null || before != null
    const size = last ?? first ?? DEFAULT_PAGE
    if (size < 1 || size > MAX_PAGE) throw new GatewayError('INVALID_INPUT', `A page has 1 to ${MAX_PAGE} jobs.`)
    const cursor = isBackward ? before : after
    const from = cursor == null ? null : parseCursor(cursor)
    const { jobIds, tenant } = viewer
    // A viewer that is limited to some jobs may list only those.
    const filter =
      jobIds === null ? asked : { ...asked, ids: (asked.ids ?? [...jobIds]).filter((id) => jobIds.has(id)) }
    const direction = isBackward ? 'backward' : 'forward'
    if (!isStorableFilter(filter)) return EMPTY
    // One extra job tells whether there is another page.
    const found = await store.listJobs(tenant, filter, { from, direction, limit: size + 1 })
    const isMore = found.length > size
    const jobs = isBackward ? found.slice(-size) : found.slice(0, size)
    return {
      jobs,
      hasNextPage: isBackward ? from !== null : isMore,
      hasPreviousPage: isBackward ? isMore : from !== null,
      count: async () => store.countJobs(tenant, filter, MAX_COUNTED),
    }
  }
}

const EMPTY: JobPage = { jobs: [], hasNextPage: false, hasPreviousPage: false, count: async () => 0 }

/** False for a filter that matches no job and that a database may reject. */
function isStorableFilter({ ids, tags, clientReference }: JobFilter): boolean {
  return [...(ids ?? []), ...(tags ?? []), clientReference ?? ''].every(isStorable)
}

export function writeListCursor({ createdAt, id }: ListCursor): string {
  return Buffer.from(`${createdAt} ${id}`).toString('base64url')
}

function parseCursor(text: string): ListCursor {
  const [, createdAt, id] = /^(\d{1,15}) (\w{1,64})$/.exec(Buffer.from(text, 'base64url').toString('utf8')) ?? []
  if (createdAt === undefined || id === undefined) {
    throw new GatewayError(
      'INVALID_INPUT',
      'That is no cursor of this list. Leave it out to begin with the first page.',
    )
  }
  return { createdAt: Number(createdAt), id }
}
