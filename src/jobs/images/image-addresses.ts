/**
 * Signed addresses of images and uploads: `<public url>/images/<id>.<ext>?…&e=<end>&s=<mac>`. The MAC covers the path
 * and the whole query, so no part can be changed. The address grants access until it expires.
 */
import { STORED_IMAGE_TYPES, type StoredImageType } from '../../domain/image.ts'
import { createSigner } from '../../lib/crypto/signer.ts'

/** The widths of views. A requested width is rounded up to the next one, so that an image has few views. */
const VIEW_WIDTHS = [64, 128, 256, 512, 1_024, 2_048, 4_096] as const
export const MAX_WIDTH = 4_096
/** 128 bits in base64url. */
const MAC_CHARS = 22
const EXTENSIONS: Readonly<Record<StoredImageType, string>> = {
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/webp': 'webp',
}

/** An image in a requested type and width. */
export interface ImageView {
  readonly id: string
  readonly type: StoredImageType
  /** The width that it is scaled down to, one of VIEW_WIDTHS; null: not scaled. */
  readonly width: number | null
}

/** Minimum lifetime of an issued address. */
const GOOD_FOR_MS = 24 * 60 * 60 * 1_000
const ROUNDED_TO_MS = 60 * 60 * 1_000

/**
 * When an address issued now expires: at the first full hour at least a day away. Addresses issued within the same hour
 * are equal, so browsers can cache the image.
 */
export function imageAddressEndsAt(now: number): number {
  return Math.ceil((now + GOOD_FOR_MS) / ROUNDED_TO_MS) * ROUNDED_TO_MS
}

export interface ImageAddresses {
  addressOf(view: ImageView, endsAt: number): string
  uploadAddressOf(id: string, endsAt: number): string
  /**
   * Parses an image's path and query; null if they are not an image address. `endsAt` is null without a valid
   * signature.
   */
  parse(path: string, query: URLSearchParams): { readonly view: ImageView; readonly endsAt: number | null } | null
  /** Returns the upload id of a signed address and when it expires; null without a valid signature. */
  parseUpload(path: string, query: URLSearchParams): { readonly id: string; readonly endsAt: number } | null
}

const IMAGE_PATH = /^\/images\/(?<id>img_[0-9a-z]{26})\.(?<extension>jpg|png|webp)$/
const UPLOAD_PATH = /^\/uploads\/(?<id>img_[0-9a-z]{26})$/

/** @param secrets the first one signs, all verify, so that secrets can be rotated. */
export function createImageAddresses(publicUrl: string, secrets: readonly [string, ...string[]]): ImageAddresses {
  const signer = createSigner(secrets, 'swapface image address', MAC_CHARS)
  const base = publicUrl.replace(/\/$/, '')

  const sign = (path: string, parts: Readonly<Record<string, string>>): string => {
    const query = new URLSearchParams(parts)
    query.set('s', signer.sign(`${path}?${query.toString()}`))
    return `${base}${path}?${query.toString()}`
  }

  /** When a signed address expires; null without a valid signature. */
  const endOf = (path: string, query: URLSearchParams): number | null => {
    const given = query.get('s') ?? ''
    const signed = new URLSearchParams(query)
    signed.delete('s')
    const end = /^[0-9a-f]{1,12}$/.test(query.get('e') ?? '') ? Number.parseInt(query.get('e') ?? '', 16) * 1_000 : null
    return signer.isSigned(`${path}?${signed.toString()}`, given) ? end : null
  }

  return {
    addressOf: ({ id, type, width }, endsAt) =>
      sign(`/images/${id}.${EXTENSIONS[type]}`, {
        ...(width !== null && { w: String(toViewWidth(width)) }),
        e: toHex(endsAt),
      }),
    uploadAddressOf: (id, endsAt) => sign(`/uploads/${id}`, { e: toHex(endsAt) }),
    parse: (path, query) => {
      const { id, extension } = IMAGE_PATH.exec(path)?.groups ?? {}
      const type = STORED_IMAGE_TYPES.find((one) => EXTENSIONS[one] === extension)
      const wanted = query.get('w')
      const width = wanted === null ? null : /^[1-9]\d{0,3}$/.test(wanted) ? Number(wanted) : Number.NaN
      if (id === undefined || type === undefined || (width !== null && !(width <= MAX_WIDTH))) return null
      return { view: { id, type, width: width === null ? null : toViewWidth(width) }, endsAt: endOf(path, query) }
    },
    parseUpload: (path, query) => {
      const id = UPLOAD_PATH.exec(path)?.groups?.['id']
      const endsAt = endOf(path, query)
      return id === undefined || endsAt === null ? null : { id, endsAt }
    },
  }
}

function toViewWidth(width: number): number {
  return VIEW_WIDTHS.find((one) => one >= width) ?? MAX_WIDTH
}

/** In whole seconds, so that addresses that expire within the same second are equal and cached as one. */
function toHex(ms: number): string {
  return Math.floor(ms / 1_000).toString(16)
}
