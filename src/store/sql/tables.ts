import type { WebhookState } from '../../domain/webhook.ts'
import type { ImageKind, ImageStatus, StoredImageType } from '../../domain/image.ts'
import type {
  HookFormat,
  ObservationSource,
  SwapChargeState,
  SwapFailureCode,
  SwapJobStatus,
  SwapRefusal,
} from '../../domain/swap-job.ts'

/** The tables as Kysely sees them. Times are epoch milliseconds, flags 0 or 1, lists JSON text: the same on every engine. */
export interface Tables {
  jobs: JobRow
  job_timeline: TimelineRow
  idempotency_keys: IdempotencyKeyRow
  images: ImageRow
  job_tags: JobTagRow
  webhooks: WebhookRow
  webhook_attempts: WebhookAttemptRow
  usage_sums: UsageSumRow
}

export interface JobRow {
  id: string
  tenant: string
  status: SwapJobStatus
  version: number
  upstream_id: string | null
  upstream_status: string | null
  target_image_url: string
  swap_image_url: string
  cdn_image: string | null
  discord_image: string | null
  failure_code: SwapFailureCode | null
  failure_message: string | null
  failure_retryable: number | null
  upstream_message: string | null
  charge_state: SwapChargeState
  charge_quota: number | null
  client_reference: string | null
  tags: string
  created_at: number
  updated_at: number
  submitted_at: number | null
  finished_at: number | null
  hook_address: string | null
  fencing: number
  lease_until: number | null
  not_before: number
  refusal_reason: SwapRefusal['reason'] | null
  refusal_message: string | null
  fetches: number
  wake_at: number | null
  deadline_at: number | null
  failed_seen_at: number | null
  target_upload_id: string | null
  target_result_of: string | null
  swap_upload_id: string | null
  swap_result_of: string | null
  copy_id: string | null
  mirror_failure: string | null
  keep_days: number
  purge_at: number | null
  forgotten_at: number | null
  retry_of: string | null
  hook_url: string | null
  hook_format: HookFormat
  /** Digest of the requested images; null for forgotten jobs, and for jobs older than this column. */
  content_digest: string | null
  trace_context: string | null
  /** The sequence number of the job's last change, unique among all jobs: a higher number is a later change. */
  change_seq: number
}

/** Sums, maintained by triggers, of the jobs created within `USAGE_STEP_MS` from `starts_at`. */
export interface UsageSumRow {
  tenant: string
  starts_at: number
  status: SwapJobStatus
  charge_state: SwapChargeState
  jobs: number
  /** Jobs with a `charge_quota`. */
  priced_jobs: number
  quota: number
}

export interface TimelineRow {
  job_id: string
  version: number
  status: SwapJobStatus
  at: number
  source: ObservationSource
}

export interface IdempotencyKeyRow {
  tenant: string
  key: string
  fingerprint: string
  job_id: string
}

export interface ImageRow {
  id: string
  tenant: string
  kind: ImageKind
  status: ImageStatus
  content_type: StoredImageType
  byte_length: number
  width: number | null
  height: number | null
  sha256: string | null
  source_sha256: string | null
  digital_source_type: string | null
  rejection: string | null
  created_at: number
  purge_at: number
}

export interface JobTagRow {
  job_id: string
  tenant: string
  tag: string
  created_at: number
}

export interface WebhookRow {
  id: string
  job_id: string
  tenant: string
  url: string
  /** The host of `url`: concurrent attempts are limited per host. */
  host: string
  body: string
  state: WebhookState
  tries: number
  next_at: number | null
  created_at: number
  trace_context: string | null
}

export interface WebhookAttemptRow {
  webhook_id: string
  at: number
  http_status: number | null
  error: string | null
}
