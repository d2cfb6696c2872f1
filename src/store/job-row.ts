import type { Decision } from '../domain/transitions.ts'
import type { SwapJob } from '../domain/swap-job.ts'
import type { JobRow } from './tables.ts'

/** The job a row stands for. */
export function toSwapJob(row: JobRow): SwapJob {
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
    hookAddress: row.hook_address,
    fencing: row.fencing,
    leaseUntil: row.lease_until,
    notBefore: row.not_before,
    fetches: row.fetches,
    wakeAt: row.wake_at,
    deadlineAt: row.deadline_at,
    failedSeenAt: row.failed_seen_at,
  }
}

/** The columns that a decision's patch writes: only those it names. */
export function toPatchColumns(patch: Exclude<Decision, { kind: 'none' }>['patch']): Partial<JobRow> {
  const { links, failure, charge, ...plain } = patch
  return {
    ...(plain.upstreamId !== undefined && { upstream_id: plain.upstreamId }),
    ...(plain.upstreamStatus !== undefined && { upstream_status: plain.upstreamStatus }),
    ...(plain.submittedAt !== undefined && { submitted_at: plain.submittedAt }),
    ...(plain.finishedAt !== undefined && { finished_at: plain.finishedAt }),
    ...(plain.leaseUntil !== undefined && { lease_until: plain.leaseUntil }),
    ...(plain.notBefore !== undefined && { not_before: plain.notBefore }),
    ...(plain.fetches !== undefined && { fetches: plain.fetches }),
    ...(plain.wakeAt !== undefined && { wake_at: plain.wakeAt }),
    ...(plain.deadlineAt !== undefined && { deadline_at: plain.deadlineAt }),
    ...(plain.failedSeenAt !== undefined && { failed_seen_at: plain.failedSeenAt }),
    ...(plain.copyId !== undefined && { copy_id: plain.copyId }),
    ...(plain.purgeAt !== undefined && { purge_at: plain.purgeAt }),
    ...(links && { cdn_image: links.cdnImage, discord_image: links.discordImage }),
    ...(failure && {
      failure_code: failure.code,
      failure_message: failure.message,
      failure_retryable: failure.retryable ? 1 : 0,
    }),
    ...(charge && { charge_state: charge.state, charge_quota: charge.quota }),
  }
}

/** Never throws: a job whose tags cannot be read is a job without tags, not one that stops a sweep. */
function parseTags(json: string): readonly string[] {
  try {
    const tags: unknown = JSON.parse(json)
    return Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : []
  } catch {
    return []
  }
}
