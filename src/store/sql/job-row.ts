import type { Decision, Bookkeeping } from '../../domain/transitions.ts'
import type { SwapJob } from '../../domain/swap-job.ts'
import type { NewSwapJob, NewWebhook } from '../job-store.ts'
import type { JobRow, WebhookRow } from './tables.ts'

/** Maps a row to its job. */
export function toSwapJob(row: Omit<JobRow, 'change_seq'>): SwapJob {
  return {
    id: row.id,
    tenant: row.tenant,
    status: row.status,
    version: row.version,
    upstreamId: row.upstream_id,
    upstreamStatus: row.upstream_status,
    targetImageUrl: row.target_image_url,
    swapImageUrl: row.swap_image_url,
    targetOrigin: { uploadId: row.target_upload_id, resultOf: row.target_result_of },
    swapOrigin: { uploadId: row.swap_upload_id, resultOf: row.swap_result_of },
    links:
      row.cdn_image === null && row.discord_image === null
        ? null
        : { cdnImage: row.cdn_image, discordImage: row.discord_image },
    failure:
      row.failure_code === null
        ? null
        : { code: row.failure_code, message: row.failure_message ?? '', retryable: row.failure_retryable === 1 },
    upstreamMessage: row.upstream_message,
    charge: { state: row.charge_state, quota: row.charge_quota },
    clientReference: row.client_reference,
    tags: parseTags(row.tags),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    submittedAt: row.submitted_at,
    finishedAt: row.finished_at,
    copyId: row.copy_id,
    mirrorFailure: row.mirror_failure,
    keepDays: row.keep_days,
    purgeAt: row.purge_at,
    forgottenAt: row.forgotten_at,
    retryOf: row.retry_of,
    hookUrl: row.hook_url,
    hookFormat: row.hook_format,
    hookAddress: row.hook_address,
    fencing: row.fencing,
    leaseUntil: row.lease_until,
    notBefore: row.not_before,
    refusalReason: row.refusal_reason,
    refusalMessage: row.refusal_message,
    fetches: row.fetches,
    wakeAt: row.wake_at,
    deadlineAt: row.deadline_at,
    failedSeenAt: row.failed_seen_at,
    traceContext: row.trace_context,
  }
}

/** The columns that bookkeeping changes without a new version, so a job in memory may have older values. */
const COLUMN_OF = {
  upstreamStatus: 'upstream_status',
  leaseUntil: 'lease_until',
  notBefore: 'not_before',
  refusalReason: 'refusal_reason',
  refusalMessage: 'refusal_message',
  fetches: 'fetches',
  wakeAt: 'wake_at',
  failedSeenAt: 'failed_seen_at',
} as const satisfies Record<keyof ColumnBookkeeping, keyof JobRow>
export const BOOKKEEPING_COLUMNS = Object.values(COLUMN_OF)

/** Without the charge: bookkeeping records it only after a job is done, when nothing else changes it. */
type ColumnBookkeeping = Omit<Bookkeeping, 'charge'>

function toBookkeeping(row: BookkeepingRow): Required<ColumnBookkeeping> {
  return {
    upstreamStatus: row.upstream_status,
    leaseUntil: row.lease_until,
    notBefore: row.not_before,
    refusalReason: row.refusal_reason,
    refusalMessage: row.refusal_message,
    fetches: row.fetches,
    wakeAt: row.wake_at,
    failedSeenAt: row.failed_seen_at,
  }
}

type BookkeepingRow = Pick<JobRow, (typeof COLUMN_OF)[keyof ColumnBookkeeping]>

/** Combines the job before the change, the change, and the current bookkeeping columns of its row. */
export function toChangedJob(
  job: SwapJob,
  row: BookkeepingRow,
  { status, version, updatedAt }: Pick<SwapJob, 'status' | 'version' | 'updatedAt'>,
  patch: Partial<SwapJob>,
): SwapJob {
  return { ...job, ...patch, status, version, updatedAt, ...toBookkeeping(row) }
}

/** The columns that a decision's patch writes: only those it names. */
export function toPatchColumns(
  patch: Extract<Decision, { kind: 'transition' }>['patch'] & Bookkeeping,
): Partial<JobRow> {
  const columns: Partial<JobRow> = {}
  if (patch.upstreamId !== undefined) columns.upstream_id = patch.upstreamId
  if (patch.upstreamStatus !== undefined) columns.upstream_status = patch.upstreamStatus
  if (patch.submittedAt !== undefined) columns.submitted_at = patch.submittedAt
  if (patch.finishedAt !== undefined) columns.finished_at = patch.finishedAt
  if (patch.leaseUntil !== undefined) columns.lease_until = patch.leaseUntil
  if (patch.notBefore !== undefined) columns.not_before = patch.notBefore
  if (patch.refusalReason !== undefined) columns.refusal_reason = patch.refusalReason
  if (patch.refusalMessage !== undefined) columns.refusal_message = patch.refusalMessage
  if (patch.fetches !== undefined) columns.fetches = patch.fetches
  if (patch.wakeAt !== undefined) columns.wake_at = patch.wakeAt
  if (patch.deadlineAt !== undefined) columns.deadline_at = patch.deadlineAt
  if (patch.failedSeenAt !== undefined) columns.failed_seen_at = patch.failedSeenAt
  if (patch.copyId !== undefined) columns.copy_id = patch.copyId
  if (patch.mirrorFailure !== undefined) columns.mirror_failure = patch.mirrorFailure
  if (patch.purgeAt !== undefined) columns.purge_at = patch.purgeAt
  if (patch.links) {
    columns.cdn_image = patch.links.cdnImage
    columns.discord_image = patch.links.discordImage
  }
  if (patch.failure) {
    columns.failure_code = patch.failure.code
    columns.failure_message = patch.failure.message
    columns.failure_retryable = patch.failure.retryable ? 1 : 0
  }
  if (patch.upstreamMessage !== undefined) columns.upstream_message = patch.upstreamMessage
  if (patch.charge) {
    columns.charge_state = patch.charge.state
    columns.charge_quota = patch.charge.quota
  }
  return columns
}

/** The row of a job to be recorded. */
export function toNewRow(job: NewSwapJob, isClaimed: boolean): Omit<JobRow, 'change_seq'> {
  return {
    id: job.id,
    tenant: job.tenant,
    status: 'PENDING',
    version: 1,
    upstream_id: null,
    upstream_status: null,
    target_image_url: job.targetImageUrl,
    swap_image_url: job.swapImageUrl,
    cdn_image: null,
    discord_image: null,
    failure_code: null,
    failure_message: null,
    failure_retryable: null,
    upstream_message: null,
    charge_state: 'PENDING',
    charge_quota: null,
    client_reference: job.clientReference,
    tags: JSON.stringify(job.tags),
    created_at: job.createdAt,
    updated_at: job.createdAt,
    submitted_at: null,
    finished_at: null,
    hook_address: job.hookAddress,
    fencing: isClaimed ? 1 : 0,
    lease_until: isClaimed ? job.leaseUntil : null,
    not_before: job.createdAt,
    refusal_reason: null,
    refusal_message: null,
    fetches: 0,
    wake_at: isClaimed ? job.leaseUntil : job.createdAt,
    deadline_at: null,
    failed_seen_at: null,
    target_upload_id: job.targetOrigin.uploadId,
    target_result_of: job.targetOrigin.resultOf,
    swap_upload_id: job.swapOrigin.uploadId,
    swap_result_of: job.swapOrigin.resultOf,
    copy_id: null,
    mirror_failure: null,
    keep_days: job.keepDays,
    purge_at: null,
    forgotten_at: null,
    retry_of: job.retryOf,
    hook_url: job.hookUrl,
    hook_format: job.hookFormat,
    content_digest: job.content.digest,
    trace_context: job.traceContext,
  }
}

/** The row of a job's webhook event. */
export function toNewWebhook({ id, tenant, traceContext }: SwapJob, webhook: NewWebhook, at: number): WebhookRow {
  const { url, body } = webhook
  return {
    id: webhook.id,
    job_id: id,
    tenant,
    url,
    host: new URL(url).host,
    body,
    state: 'WAITING',
    tries: 0,
    next_at: at,
    created_at: at,
    trace_context: traceContext,
  }
}

/** Never throws: unreadable tags count as no tags, so that one damaged job does not stop a sweep. */
function parseTags(json: string): readonly string[] {
  try {
    const tags: unknown = JSON.parse(json)
    return Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : []
  } catch {
    return []
  }
}
