/**
 * Finds jobs that match a filter of several parts, which no single index covers. Reads the part with the fewest jobs in
 * pieces from its index and looks up the other parts in theirs, so only matching jobs are read from the table. Other
 * reads get a turn between two pieces.
 */
import { type Kysely, type RawBuilder, sql } from 'kysely'
import { GatewayError } from '../../domain/errors.ts'
import type { JobFilter } from '../../domain/job-filter.ts'
import type { SwapJobStatus } from '../../domain/swap-job.ts'
import type { ListRange } from '../job-store.ts'
import type { JobRow, Tables } from './tables.ts'

/** Jobs per piece: a millisecond or two. */
const PIECE = 200
/** Jobs compared for one list; above this the caller must narrow the filter. */
const MAX_SCANNED = 10_000
/** Jobs counted per part to find the part with the fewest. */
const MAX_PROBED = 1_000

/** A job's position in a list. */
export type ListPosition = Pick<JobRow, 'created_at' | 'id'>

export function newestFirst(a: ListPosition, b: ListPosition): number {
  return b.created_at - a.created_at || (a.id === b.id ? 0 : a.id < b.id ? 1 : -1)
}

export function oldestFirst(a: ListPosition, b: ListPosition): number {
  return -newestFirst(a, b)
}

export interface ScanSource {
  /** Reads a piece of one part's jobs, in the order of the range, and whether each matches the whole filter. */
  readPiece(key: JobFilter, range: ListRange): Promise<readonly (ListPosition & { readonly fits: boolean })[]>
  /** Counts the jobs of one part, up to `limit`. */
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
 * Returns the positions of the matching jobs in the range, in its order.
 * @throws {GatewayError} code INVALID_INPUT if there are too many jobs to compare.
 */
export async function scanJobs(filter: JobFilter, range: ListRange, source: ScanSource): Promise<ListPosition[]> {
  const { createdFrom, createdBefore } = filter
  const key = { ...(await chooseKey(filter, source)), createdFrom, createdBefore }
  const found: ListPosition[] = []
  let { from } = range
  for (let scanned = 0; scanned < MAX_SCANNED; scanned += PIECE) {
    const piece = await source.readPiece(key, { ...range, from, limit: PIECE })
    for (const { fits, ...position } of piece) {
      if (fits && found.push(position) === range.limit) return found
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

export interface Piece {
  readonly tenant: string
  /** The table to read, its sort columns, and the conditions on it. */
  readonly table: RawBuilder<unknown>
  readonly columns: { readonly createdAt: RawBuilder<number>; readonly id: RawBuilder<string> }
  readonly conditions: readonly RawBuilder<unknown>[]
  readonly isForward: boolean
  readonly limit: number
  /** Looked up for each job; null: any status. */
  readonly statuses: readonly SwapJobStatus[] | null
  readonly others: { readonly tags: readonly string[]; readonly clientReference: string | null | undefined }
}

/** Reads one piece (`ScanSource.readPiece`) from indexes alone. */
export async function readPiece(db: Kysely<Tables>, piece: Piece) {
  const { tenant, table, columns, conditions, isForward, limit, statuses, others } = piece
  const order = sql.raw(isForward ? 'desc' : 'asc')
  const { rows } = await sql<ListPosition & { fits: number }>`
    select page.created_at, page.id, case when ${sql.join(toLookUps(tenant, others, statuses), sql` and `)} then 1 else 0 end as fits
    from (
      select ${columns.createdAt} as created_at, ${columns.id} as id from ${table}
      where ${sql.join(conditions, sql` and `)} order by ${columns.createdAt} ${order}, ${columns.id} ${order} limit ${limit}
    ) as page
  `.execute(db)
  // SQL promises no order without an `order by` of the outer query.
  return rows
    .map(({ created_at, id, fits }) => ({ created_at, id, fits: fits === 1 }))
    .toSorted(isForward ? newestFirst : oldestFirst)
}

/** A range instead of an equality: an equality would be looked up by the id alone, which reads the row of the job. */
const isAt = (id: 'other.id' | 'other.job_id') =>
  sql`other.created_at = page.created_at and ${sql.ref(id)} between page.id and page.id`

/** A condition on the jobs of `page` for each part of the filter that the page was not read by. */
function toLookUps(tenant: string, { tags, clientReference }: Piece['others'], statuses: Piece['statuses']) {
  const ofJob = (part: RawBuilder<unknown>) =>
    sql`exists (select 1 from jobs as other where other.tenant = ${tenant} and ${part} and ${isAt('other.id')})`
  return [
    ...(statuses === null ? [] : [ofJob(sql`other.status in (${sql.join(statuses)})`)]),
    ...(clientReference == null ? [] : [ofJob(sql`other.client_reference = ${clientReference}`)]),
    ...tags.map(
      (tag) =>
        sql`exists (select 1 from job_tags as other where other.tenant = ${tenant} and other.tag = ${tag} and ${isAt('other.job_id')})`,
    ),
  ]
}
