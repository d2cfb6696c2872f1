/**
 * Migrations shared by both engines, which differ in the type of a time and in what only one of them has. Forward only:
 * a migration that has been released is never changed.
 */
import { type Kysely, type Migration, type RawBuilder, sql } from 'kysely'

/** The column type of epoch milliseconds. */
type TimeType = 'integer' | 'bigint'

/** Creates the tables and indexes of the first migration. */
export async function createJobTables(db: Kysely<unknown>, time: TimeType): Promise<void> {
  await db.schema
    .createTable('jobs')
    .addColumn('id', 'text', (column) => column.primaryKey().notNull())
    .addColumn('tenant', 'text', (column) => column.notNull())
    .addColumn('status', 'text', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('upstream_id', 'text')
    .addColumn('upstream_status', 'text')
    .addColumn('target_image_url', 'text', (column) => column.notNull())
    .addColumn('swap_image_url', 'text', (column) => column.notNull())
    .addColumn('cdn_image', 'text')
    .addColumn('discord_image', 'text')
    .addColumn('failure_code', 'text')
    .addColumn('failure_message', 'text')
    .addColumn('failure_retryable', 'integer')
    .addColumn('charge_state', 'text', (column) => column.notNull())
    .addColumn('charge_quota', 'integer')
    .addColumn('client_reference', 'text')
    .addColumn('tags', 'text', (column) => column.notNull())
    .addColumn('created_at', time, (column) => column.notNull())
    .addColumn('updated_at', time, (column) => column.notNull())
    .addColumn('submitted_at', time)
    .addColumn('finished_at', time)
    .addColumn('hook_address', 'text')
    .addColumn('fencing', 'integer', (column) => column.notNull())
    .addColumn('lease_until', time)
    .addColumn('not_before', time, (column) => column.notNull())
    .addColumn('fetches', 'integer', (column) => column.notNull())
    .addColumn('wake_at', time)
    .addColumn('deadline_at', time)
    .addColumn('failed_seen_at', time)
    .addColumn('change_seq', time, (column) => column.notNull())
    .execute()
  await db.schema.createIndex('jobs_upstream_id').on('jobs').column('upstream_id').unique().execute()
  await db.schema.createIndex('jobs_change_seq').on('jobs').column('change_seq').unique().execute()
  await db.schema.createIndex('jobs_tenant_changes').on('jobs').columns(['tenant', 'change_seq']).execute()
  // Partial: only unfinished jobs are ever due, so a sweep stays as fast with 100,000 finished ones.
  await sql`create index jobs_unfinished on jobs (tenant, change_seq) where wake_at is not null`.execute(db)
  await sql`create index jobs_wake_at on jobs (wake_at) where wake_at is not null`.execute(db)
  await sql`create index jobs_queue on jobs (status, lease_until, created_at) where wake_at is not null`.execute(db)

  await db.schema
    .createTable('job_timeline')
    .addColumn('job_id', 'text', (column) => column.notNull().references('jobs.id'))
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('status', 'text', (column) => column.notNull())
    .addColumn('at', time, (column) => column.notNull())
    .addColumn('source', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('job_timeline_key', ['job_id', 'version'])
    .execute()

  await db.schema
    .createTable('idempotency_keys')
    .addColumn('tenant', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('fingerprint', 'text', (column) => column.notNull())
    .addColumn('job_id', 'text', (column) => column.notNull().references('jobs.id'))
    .addPrimaryKeyConstraint('idempotency_keys_key', ['tenant', 'key'])
    .execute()
}

/** Creates the indexes for each tenant's counts. */
export async function indexTenantLimits(db: Kysely<unknown>): Promise<void> {
  await db.schema.createIndex('jobs_tenant_created').on('jobs').columns(['tenant', 'created_at', 'id']).execute()
  await sql`
    create index jobs_content_refused on jobs (finished_at, tenant) where failure_code = 'CONTENT_REFUSED'
  `.execute(db)
}

/** Creates the table of usage sums, which triggers on `jobs` maintain, one row per interval of creation times. */
export async function createUsageSums(db: Kysely<unknown>, time: TimeType): Promise<void> {
  await db.schema
    .createTable('usage_sums')
    .addColumn('tenant', 'text', (column) => column.notNull())
    .addColumn('starts_at', time, (column) => column.notNull())
    .addColumn('status', 'text', (column) => column.notNull())
    .addColumn('charge_state', 'text', (column) => column.notNull())
    .addColumn('jobs', 'integer', (column) => column.notNull())
    .addColumn('priced_jobs', 'integer', (column) => column.notNull())
    .addColumn('quota', time, (column) => column.notNull())
    .addPrimaryKeyConstraint('usage_sums_key', ['tenant', 'starts_at', 'status', 'charge_state'])
    .execute()
  await sql`
    insert into usage_sums (tenant, starts_at, status, charge_state, jobs, priced_jobs, quota)
    select tenant, ${STARTS_AT('created_at')}, status, charge_state, count(*), count(charge_quota), coalesce(sum(charge_quota), 0)
    from jobs group by 1, 2, 3, 4
  `.execute(db)
}

/** The start of a time's interval: `USAGE_STEP_MS` as a literal. */
export const STARTS_AT = (time: string) => sql.raw(`${time} - ${time} % 900000`)

/** @param tagsOfJob the tags of `job` as rows `tag` with a `value`. */
export function createSharedMigrations(time: TimeType, tagsOfJob: RawBuilder<unknown>): Record<string, Migration> {
  return {
    '0003-images': { up: async (db: Kysely<unknown>) => createImages(db, time) },
    '0004-lists': { up: async (db: Kysely<unknown>) => indexLists(db, time, tagsOfJob) },
    '0005-webhooks': { up: async (db: Kysely<unknown>) => createWebhooks(db, time) },
    '0006-hook-format': { up: addHookFormat },
    '0007-own-refusals': { up: indexOwnRefusals },
    '0008-narrower-indexes': { up: narrowIndexes },
    '0009-digital-source-type': { up: addDigitalSourceType },
    '0011-queue-by-tenant': { up: indexQueueByTenant },
    '0013-open-uploads': { up: indexOpenUploads },
    '0014-refusals': { up: addRefusals },
    '0015-trace-context': { up: addTraceContext },
  }
}

async function createImages(db: Kysely<unknown>, time: TimeType): Promise<void> {
  await db.schema
    .createTable('images')
    .addColumn('id', 'text', (column) => column.primaryKey().notNull())
    .addColumn('tenant', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('status', 'text', (column) => column.notNull())
    .addColumn('content_type', 'text', (column) => column.notNull())
    .addColumn('byte_length', 'integer', (column) => column.notNull())
    .addColumn('width', 'integer')
    .addColumn('height', 'integer')
    .addColumn('sha256', 'text')
    .addColumn('source_sha256', 'text')
    .addColumn('rejection', 'text')
    .addColumn('created_at', time, (column) => column.notNull())
    .addColumn('purge_at', time, (column) => column.notNull())
    .execute()
  await db.schema.createIndex('images_source').on('images').columns(['tenant', 'source_sha256']).execute()
  await sql`create index images_purge_at on images (purge_at) where status <> 'PURGED'`.execute(db)
  for (const column of ['target_upload_id', 'target_result_of', 'swap_upload_id', 'swap_result_of', 'copy_id']) {
    await db.schema.alterTable('jobs').addColumn(column, 'text').execute()
  }
  await db.schema.alterTable('jobs').addColumn('mirror_failure', 'text').execute()
  await db.schema
    .alterTable('jobs')
    .addColumn('keep_days', 'integer', (column) => column.notNull().defaultTo(7))
    .execute()
  await db.schema.alterTable('jobs').addColumn('purge_at', time).execute()
  await db.schema.alterTable('jobs').addColumn('forgotten_at', time).execute()
  for (const column of ['target_upload_id', 'swap_upload_id']) {
    await sql`create index ${sql.raw(`jobs_${column}`)} on jobs (${sql.ref(column)}) where ${sql.ref(column)} is not null`.execute(
      db,
    )
  }
  await sql`create index jobs_purge_at on jobs (purge_at) where forgotten_at is null`.execute(db)
  await sql`
    create index jobs_without_copy on jobs (finished_at)
    where status = 'SUCCESS' and copy_id is null and mirror_failure is null
  `.execute(db)
}

async function indexLists(db: Kysely<unknown>, time: TimeType, tagsOfJob: RawBuilder<unknown>): Promise<void> {
  await db.schema.alterTable('jobs').addColumn('retry_of', 'text').execute()
  await db.schema.alterTable('jobs').addColumn('content_digest', 'text').execute()
  await db.schema
    .createTable('job_tags')
    .addColumn('job_id', 'text', (column) => column.notNull().references('jobs.id'))
    .addColumn('tenant', 'text', (column) => column.notNull())
    .addColumn('tag', 'text', (column) => column.notNull())
    .addColumn('created_at', time, (column) => column.notNull())
    .addPrimaryKeyConstraint('job_tags_key', ['job_id', 'tag'])
    .execute()
  await sql`insert into job_tags (job_id, tenant, tag, created_at) select job.id, job.tenant, tag.value, job.created_at from jobs job, ${tagsOfJob} where true on conflict do nothing`.execute(
    db,
  )
  // In each index the filter's columns come first, then the order of the list.
  await db.schema
    .createIndex('job_tags_list')
    .on('job_tags')
    .columns(['tenant', 'tag', 'created_at', 'job_id'])
    .execute()
  await db.schema
    .createIndex('jobs_tenant_status')
    .on('jobs')
    .columns(['tenant', 'status', 'created_at', 'id'])
    .execute()
  await sql`
    create index jobs_client_reference on jobs (tenant, client_reference, created_at, id) where client_reference is not null
  `.execute(db)
  await sql`
    create index jobs_content on jobs (tenant, content_digest, created_at) where content_digest is not null
  `.execute(db)
  await sql`create index jobs_finished on jobs (finished_at) where finished_at is not null`.execute(db)
}

async function createWebhooks(db: Kysely<unknown>, time: TimeType): Promise<void> {
  await db.schema.alterTable('jobs').addColumn('hook_url', 'text').execute()
  await db.schema
    .createTable('webhooks')
    .addColumn('id', 'text', (column) => column.primaryKey().notNull())
    .addColumn('job_id', 'text', (column) => column.notNull().references('jobs.id'))
    .addColumn('tenant', 'text', (column) => column.notNull())
    .addColumn('url', 'text', (column) => column.notNull())
    .addColumn('host', 'text', (column) => column.notNull())
    .addColumn('body', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('tries', 'integer', (column) => column.notNull())
    .addColumn('next_at', time)
    .addColumn('created_at', time, (column) => column.notNull())
    .execute()
  await db.schema.createIndex('webhooks_job').on('webhooks').column('job_id').unique().execute()
  await sql`create index webhooks_next_at on webhooks (next_at) where next_at is not null`.execute(db)
  await db.schema
    .createTable('webhook_attempts')
    .addColumn('webhook_id', 'text', (column) => column.notNull().references('webhooks.id'))
    .addColumn('at', time, (column) => column.notNull())
    .addColumn('http_status', 'integer')
    .addColumn('error', 'text')
    .execute()
  await db.schema.createIndex('webhook_attempts_of').on('webhook_attempts').columns(['webhook_id', 'at']).execute()
}

async function addHookFormat(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('jobs')
    .addColumn('hook_format', 'text', (column) => column.notNull().defaultTo('EVENT'))
    .execute()
}

async function indexOwnRefusals(db: Kysely<unknown>): Promise<void> {
  // Each new swap also counts the refusals of its own tenant.
  await sql`
    create index jobs_own_content_refused on jobs (tenant, finished_at) where failure_code = 'CONTENT_REFUSED'
  `.execute(db)
}

async function narrowIndexes(db: Kysely<unknown>): Promise<void> {
  // Indexes on `wake_at` are rewritten at each poll of a job. Null values need no entry.
  for (const name of ['jobs_unfinished', 'jobs_queue', 'jobs_purge_at', 'jobs_upstream_id']) {
    await db.schema.dropIndex(name).execute()
  }
  await sql`create index jobs_unfinished on jobs (tenant, change_seq) where finished_at is null`.execute(db)
  await sql`create index jobs_queue on jobs (status, lease_until, created_at) where finished_at is null`.execute(db)
  await sql`
    create index jobs_purge_at on jobs (purge_at) where purge_at is not null and forgotten_at is null
  `.execute(db)
  await sql`create unique index jobs_upstream_id on jobs (upstream_id) where upstream_id is not null`.execute(db)
}

async function addDigitalSourceType(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('images').addColumn('digital_source_type', 'text').execute()
}

async function indexQueueByTenant(db: Kysely<unknown>): Promise<void> {
  await db.schema.dropIndex('jobs_queue').execute()
  await sql`
    create index jobs_queue on jobs (status, lease_until, tenant, created_at, id) where finished_at is null
  `.execute(db)
  // Excludes jobs that were never submitted: they do not count for the duration of swaps.
  await db.schema.dropIndex('jobs_finished').execute()
  await sql`
    create index jobs_recent on jobs (finished_at) where finished_at is not null and submitted_at is not null
  `.execute(db)
}

async function indexOpenUploads(db: Kysely<unknown>): Promise<void> {
  await sql`create index images_open on images (tenant, created_at) where status = 'AWAITING_BYTES'`.execute(db)
}

async function addRefusals(db: Kysely<unknown>): Promise<void> {
  for (const column of ['refusal_reason', 'refusal_message', 'upstream_message']) {
    await db.schema.alterTable('jobs').addColumn(column, 'text').execute()
  }
}

async function addTraceContext(db: Kysely<unknown>): Promise<void> {
  for (const table of ['jobs', 'webhooks'])
    await db.schema.alterTable(table).addColumn('trace_context', 'text').execute()
}
