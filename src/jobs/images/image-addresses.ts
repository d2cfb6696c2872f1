/**
 * Addresses of images and uploads that carry their own permission: `<public url>/images/<id>.<ext>?…&e=<end>&s=<mac>`.
 * The mac covers all of it, so nothing in one can be changed; whoever has the address has the image until it ends.
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

/** An image, and how it is wanted. */
export interface ImageView {
  readonly id: string
  readonly type: StoredImageType
  /** The width that it is scaled down to, one of VIEW_WIDTHS; null: not scaled. */
  readonly width: number | null
}

/** How long an address works that a caller is given. */
const GOOD_FOR_MS = 24 * 60 * 60 * 1_000
const ROUNDED_TO_MS = 60 * 60 * 1_000

/**
 * When an address ends that is handed out now: a day later or somewhat more, to the full hour, so that whoever asks
 * again meanwhile is given the same address, and a browser its own copy.
 */
export function imageAddressEndsAt(now: number): number {
  return Math.ceil((now + GOOD_FOR_MS) / ROUNDED_TO_MS) * ROUNDED_TO_MS
}

export interface ImageAddresses {
  addressOf(view: ImageView, endsAt: number): string
  uploadAddressOf(id: string, endsAt: number): string
  /** What an image's path and query ask for; null for what is no address of ours. `endsAt` is null where it is not signed. */
  parse(path: string, query: URLSearchParams): { readonly view: ImageView; readonly endsAt: number | null } | null
  /** The upload a signed address was made for, and when it ends. */
  parseUpload(path: string, query: URLSearchParams): { readonly id: string; readonly endsAt: number } | null
}

const IMAGE_PATH = /^\/images\/(?<id>img_[0-9a-z]{26})\.(?<extension>jpg|png|webp)$/
const UPLOAD_PATH = /^\/uploads\/(?<id>img_[0-9a-z]{26})$/

/** @param secrets the first signs, all verify: so a secret is rotated. */
export function createImageAddresses(publicUrl: string, secrets: readonly [string, ...string[]]): ImageAddresses {
  const signer = createSigner(secrets, 'swapface image address', MAC_CHARS)
  const base = publicUrl.replace(/\/$/, '')

  const sign = (path: string, parts: Readonly<Record<string, string>>): string => {
    const query = new URLSearchParams(parts)
    query.set('s', signer.sign(`${path}?${query.toString()}`))
    return `${base}${path}?${query.toString()}`
  }

  /** When a signed address ends; null where it is not signed, or not by us. */
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

/** Whole seconds: an address that ends within the same second is the same address, and is cached as such. */
function toHex(ms: number): string {
  return Math.floor(ms / 1_000).toString(16)
}
