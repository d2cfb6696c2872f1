/**
 * Jobs that fit a filter of several parts, which no index answers as a whole: those of the part with the fewest jobs are
 * read in pieces, and the other parts are compared with each. Between two pieces others have their turn.
 */
import { GatewayError } from '../domain/errors.ts'
import { type JobFilter, matchesFilter } from '../domain/job-filter.ts'
import { toSwapJob } from './job-row.ts'
import type { ListRange } from './job-store.ts'
import type { JobRow } from './tables.ts'

/** Jobs of one piece: a millisecond or two. */
const PIECE = 50
/** Jobs that are compared for one list; of more, the caller has to say which. */
const MAX_SCANNED = 10_000
/** Jobs of each part that are counted to find the part with the fewest. */
const MAX_PROBED = 1_000

export interface ScanSource {
  /** A page by one part of a filter, in the order of the range. */
  readPage(key: JobFilter, range: ListRange): Promise<readonly JobRow[]>
  /** How many jobs there are of one part, counted no further than `limit`. */
  countKey(key: JobFilter, limit: number): Promise<number>
}

/** The parts of a filter that have an index of their own: each tag, and the reference. */
export function findKeys({ tags, clientReference }: JobFilter): JobFilter[] {
  return [
    ...[...new Set(tags)].map((tag) => ({ tags: [tag] })),
    ...(clientReference == null ? [] : [{ clientReference }]),
  ]
}

/**
 * The jobs in the range that fit, in its order from its beginning.
 * @throws {GatewayError} code INVALID_INPUT if there are too many jobs to compare.
 */
export async function scanJobs(filter: JobFilter, range: ListRange, source: ScanSource): Promise<JobRow[]> {
  const { createdFrom, createdBefore } = filter
  const key = { ...(await chooseKey(filter, source)), createdFrom, createdBefore }
  const found: JobRow[] = []
  let { from } = range
  for (let scanned = 0; scanned < MAX_SCANNED; scanned += PIECE) {
    const piece = await source.readPage(key, { ...range, from, limit: PIECE })
    for (const row of piece) {
      if (matchesFilter(toSwapJob(row), filter) && found.push(row) === range.limit) return found
    }
    const last = piece.at(-1)
    if (!last || piece.length < PIECE) return found
    from = { createdAt: last.created_at, id: last.id }
  }
  throw new GatewayError(
    'INVALID_INPUT',
    `More than ${MAX_SCANNED} jobs would have to be compared with the filter. Narrow it with createdFrom and createdBefore, or with a rarer tag.`,
  )
}

async function chooseKey(filter: JobFilter, source: ScanSource): Promise<JobFilter> {
  const { createdFrom, createdBefore } = filter
  const keys = findKeys(filter)
  if (keys.length <= 1) return keys[0] ?? {}
  const counted = await Promise.all(
    keys.map(async (key) => ({
      key,
      count: await source.countKey({ ...key, createdFrom, createdBefore }, MAX_PROBED),
    })),
  )
  const [fewest] = counted.toSorted((a, b) => a.count - b.count)
  return fewest?.key ?? {}
}
