import type { Kysely } from 'kysely'
import type { StoredImage } from '../../domain/image.ts'
import { settleAll } from '../../lib/async/settle-all.ts'
import type { ImageRecord, ImageStore } from '../image-store.ts'
import type { Engine } from './engine.ts'
import type { ImageRow, Tables } from './tables.ts'

/** Implements the image store on any engine. */
export function createImageStore(engine: Pick<Engine, 'db' | 'write' | 'batch'>): ImageStore {
  const { db } = engine
  const addUpload = engine.batch(addUploads)
  return {
    addImage: async (image) => addImage(engine, image),
    addUpload: async (image, open) => addUpload(image.tenant, { image, open }),
    findImage: async (id) => findImage(db, id),
    findOwnImages: async (tenant, ids) => findOwnImages(db, tenant, ids),
    findUploadBySource: async (tenant, sourceSha256) => findUploadBySource(db, tenant, sourceSha256),
    keepImage: async (id, kept) => updateAwaiting(engine, id, toKeptColumns(kept)),
    rejectImage: async (id, rejection) => updateAwaiting(engine, id, { status: 'REJECTED', rejection }),
    extendImage: async (id, purgeAt) => extendImage(engine, id, purgeAt),
    expireImage: async (id, now) => expireImage(engine, id, now),
    isInUse: async (uploadId) => isInUse(db, uploadId),
    listDue: async (now, limit) => listDue(db, now, limit),
    markPurged: async (id) => markPurged(engine, id),
  }
}

type Writes = Pick<Engine, 'write'>

async function addImage({ write }: Writes, image: StoredImage): Promise<void> {
  await write('', async (trx) => trx.insertInto('images').values(toRow(image)).execute())
}

interface UploadRequest {
  readonly image: StoredImage
  readonly open: { readonly since: number; readonly max: number }
}

/** Adds uploads in order. A tenant's open uploads include those added earlier in the batch. */
async function addUploads(trx: Kysely<Tables>, requests: readonly UploadRequest[]): Promise<boolean[]> {
  const counts = await settleAll(
    requests.map(async ({ image, open }) => countOpenUploads(trx, image.tenant, open.since)),
  )
  const added: StoredImage[] = []
  const results = requests.map(({ image, open }, n) => {
    const before = added.filter(({ tenant, createdAt }) => tenant === image.tenant && createdAt > open.since)
    if ((counts[n] ?? 0) + before.length >= open.max) return false
    added.push(image)
    return true
  })
  if (added.length > 0) await trx.insertInto('images').values(added.map(toRow)).execute()
  return results
}

async function countOpenUploads(trx: Kysely<Tables>, tenant: string, since: number): Promise<number> {
  const { open } = await trx
    .selectFrom('images')
    .select(({ fn }) => fn.countAll().as('open'))
    .where('tenant', '=', tenant)
    .where('status', '=', 'AWAITING_BYTES')
    .where('created_at', '>', since)
    .executeTakeFirstOrThrow()
  return Number(open)
}

async function findImage(db: Kysely<Tables>, id: string): Promise<StoredImage | null> {
  const row = await db.selectFrom('images').selectAll().where('id', '=', id).executeTakeFirst()
  return row ? toImage(row) : null
}

async function findOwnImages(
  db: Kysely<Tables>,
  tenant: string,
  ids: readonly string[],
): Promise<(StoredImage | null)[]> {
  const rows = await db.selectFrom('images').selectAll().where('tenant', '=', tenant).where('id', 'in', ids).execute()
  const found = new Map(rows.map((row) => [row.id, toImage(row)]))
  return ids.map((id) => found.get(id) ?? null)
}

async function findUploadBySource(
  db: Kysely<Tables>,
  tenant: string,
  sourceSha256: string,
): Promise<StoredImage | null> {
  const row = await db
    .selectFrom('images')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('source_sha256', '=', sourceSha256)
    .where('kind', '=', 'UPLOAD')
    .where('status', '=', 'READY')
    .orderBy('purge_at', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row ? toImage(row) : null
}

/** Updates an image in AWAITING_BYTES; null if it is in another state. */
async function updateAwaiting({ write }: Writes, id: string, columns: Partial<ImageRow>): Promise<StoredImage | null> {
  const row = await write('', async (trx) =>
    trx
      .updateTable('images')
      .set(columns)
      .where('id', '=', id)
      .where('status', '=', 'AWAITING_BYTES')
      .returningAll()
      .executeTakeFirst(),
  )
  return row ? toImage(row) : null
}

async function extendImage({ write }: Writes, id: string, purgeAt: number): Promise<void> {
  await write('', async (trx) =>
    trx
      .updateTable('images')
      .set({ purge_at: purgeAt })
      .where('id', '=', id)
      .where('purge_at', '<', purgeAt)
      .where('status', '<>', 'PURGED')
      .execute(),
  )
}

async function expireImage({ write }: Writes, id: string, now: number): Promise<void> {
  await write('', async (trx) =>
    trx.updateTable('images').set({ purge_at: now }).where('id', '=', id).where('purge_at', '>', now).execute(),
  )
}

async function isInUse(db: Kysely<Tables>, uploadId: string): Promise<boolean> {
  const row = await db
    .selectFrom('jobs')
    .select('id')
    .where((where) => where.or([where('target_upload_id', '=', uploadId), where('swap_upload_id', '=', uploadId)]))
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

async function listDue(db: Kysely<Tables>, now: number, limit: number): Promise<StoredImage[]> {
  const rows = await db
    .selectFrom('images')
    .selectAll()
    .where('status', '<>', 'PURGED')
    .where('purge_at', '<=', now)
    .orderBy('purge_at')
    .limit(limit)
    .execute()
  return rows.map(toImage)
}

async function markPurged({ write }: Writes, id: string): Promise<void> {
  await write('', async (trx) =>
    trx.updateTable('images').set({ status: 'PURGED' }).where('id', '=', id).where('status', '<>', 'PURGED').execute(),
  )
}

function toKeptColumns(kept: ImageRecord): Partial<ImageRow> {
  const { contentType, width, height, byteLength, sha256, sourceSha256 } = kept
  return {
    status: 'READY',
    content_type: contentType,
    width,
    height,
    byte_length: byteLength,
    sha256,
    source_sha256: sourceSha256,
  }
}

function toImage(row: ImageRow): StoredImage {
  return {
    id: row.id,
    tenant: row.tenant,
    kind: row.kind,
    status: row.status,
    contentType: row.content_type,
    byteLength: row.byte_length,
    width: row.width,
    height: row.height,
    sha256: row.sha256,
    sourceSha256: row.source_sha256,
    digitalSourceType: row.digital_source_type,
    rejection: row.rejection,
    createdAt: row.created_at,
    purgeAt: row.purge_at,
  }
}

function toRow(image: StoredImage): ImageRow {
  return {
    id: image.id,
    tenant: image.tenant,
    kind: image.kind,
    status: image.status,
    content_type: image.contentType,
    byte_length: image.byteLength,
    width: image.width,
    height: image.height,
    sha256: image.sha256,
    source_sha256: image.sourceSha256,
    digital_source_type: image.digitalSourceType,
    rejection: image.rejection,
    created_at: image.createdAt,
    purge_at: image.purgeAt,
  }
}
