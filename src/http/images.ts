import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { type Authenticate, hasScope, readCredentials } from '../auth/viewer.ts'
import type { ByteRange } from '../blob/blob-store.ts'
import { GatewayError } from '../domain/errors.ts'
import type { StoredImage } from '../domain/image.ts'
import type { ImageAddresses, ImageView } from '../jobs/images/image-addresses.ts'
import type { ImageLibrary } from '../jobs/images/image-library.ts'
import { readQuery } from '../lib/http/request-head.ts'
import type { RequestLimiter } from '../limits/limiter.ts'
import { checkPreconditions, isRangeWanted } from './conditional.ts'
import { sendError, sendNotFound } from './respond.ts'

export interface ImageHandlerParts {
  readonly addresses: Pick<ImageAddresses, 'parse'>
  readonly findImage: (id: string) => Promise<StoredImage | null>
  readonly library: Pick<ImageLibrary, 'open'>
  readonly authenticate: Authenticate
  readonly limiter: RequestLimiter
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** How long a client may cache an image that it read with credentials instead of a signature. */
const UNSIGNED_MAX_AGE_S = 300
/** Suffix of the tenant in the limiter's key, for requests with signed addresses. */
const SIGNED = 'signed images'

/**
 * `GET /images/:id.:format`: for requests with a valid signature, and for the tenant that owns the image. Any other
 * request gets the response for an unknown image. The bytes are always encoded by the gateway, in the type of the path.
 */
export function createImageHandler(parts: ImageHandlerParts) {
  return async (request: IncomingMessage, response: ServerResponse, path: string): Promise<void> => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      return sendError(response, 405, 'METHOD_NOT_ALLOWED', 'Read images with GET or HEAD.')
    }
    // Signed addresses may be embedded in any page, and cross-origin isolated pages embed nothing without this header.
    response.setHeader('cross-origin-resource-policy', 'cross-origin')
    const allowed = await findAllowed(parts, request, path)
    if (allowed === 'ended')
      return sendError(response, 410, 'ENDED', 'This URL has expired. Query the job again for a new one.')
    if (allowed === null) return sendNotFound(response)
    if (await hasBudget(parts, allowed, response)) await sendIfModified(parts, allowed, request, response)
  }
}

/** An image that the request may read. */
interface AllowedImage {
  readonly image: StoredImage
  readonly view: ImageView
  /** When the signed address expires, epoch milliseconds; null if the caller authenticated instead. */
  readonly signedUntil: number | null
}

/** @returns null if the image does not exist or is not the caller's, `ended` if its signed address has expired. */
async function findAllowed(
  { addresses, findImage, authenticate, now }: ImageHandlerParts,
  request: IncomingMessage,
  path: string,
): Promise<AllowedImage | 'ended' | null> {
  const asked = addresses.parse(path, readQuery(request))
  if (!asked) return null
  const { view, endsAt } = asked
  const image = await findImage(view.id)
  const signedUntil = endsAt !== null && endsAt > now() ? endsAt : null
  const isReady = image?.status === 'READY'
  if (isReady && (signedUntil !== null || (await maySee(authenticate, request, image))))
    return { image, view, signedUntil }
  return endsAt !== null && signedUntil === null ? 'ended' : null
}

async function maySee(authenticate: Authenticate, request: IncomingMessage, { tenant }: StoredImage): Promise<boolean> {
  const viewer = await authenticate(readCredentials(request))
  return viewer?.tenant === tenant && viewer.jobIds === null && hasScope(viewer, 'swap:read')
}

/** Counts the request. Responds with 429 if the budget is spent. */
async function hasBudget(
  { limiter, now }: ImageHandlerParts,
  { image, signedUntil }: AllowedImage,
  response: ServerResponse,
): Promise<boolean> {
  // Counted separately: a holder of a signed address must not use up the requests of the tenant itself.
  const allowance = await limiter.take(signedUntil === null ? image.tenant : `${image.tenant} ${SIGNED}`)
  if (allowance.isSpent) {
    response.setHeader('retry-after', String(Math.max(1, Math.ceil((allowance.resetAt - now()) / 1_000))))
    sendError(response, 429, 'RATE_LIMITED', `More than ${allowance.limit} images were requested in a minute.`)
  }
  return !allowance.isSpent
}

/** Sends the image if the preconditions of the request hold. */
async function sendIfModified(
  { library, now }: ImageHandlerParts,
  { image, view, signedUntil }: AllowedImage,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const etag = `"${image.sha256}${describe(view)}"`
  const maxAgeS = signedUntil === null ? UNSIGNED_MAX_AGE_S : Math.floor((signedUntil - now()) / 1_000)
  /** Sent with the image and with a 304 only: an error must not be cached. */
  const validators = {
    etag,
    'cache-control': `private, max-age=${maxAgeS}, immutable`,
    'accept-ranges': 'bytes',
    ...(signedUntil === null && { vary: 'Origin, Authorization, X-API-Key' }),
  }
  switch (checkPreconditions(request.headers, etag)) {
    case 'notModified':
      response.writeHead(304, validators).end()
      return
    case 'failed':
      sendError(response, 412, 'PRECONDITION_FAILED', 'The image does not have the entity tag in If-Match.')
      return
    case 'proceed':
      await sendImage({ library, image, view, validators }, request, response).catch((error: unknown) => {
        if (!(error instanceof GatewayError) || error.code !== 'UNAVAILABLE') throw error
        response.setHeader('retry-after', '1')
        sendError(response, 503, error.code, error.message)
      })
  }
}

interface SentImage {
  readonly library: ImageHandlerParts['library']
  readonly image: StoredImage
  readonly view: ImageView
  readonly validators: OutgoingHttpHeaders & { readonly etag: string }
}

/** Sends the image, or its requested range. */
async function sendImage(
  { library, image, view, validators }: SentImage,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const whole = await library.open(image, view)
  if (!whole) return sendNotFound(response)
  const length = whole.byteLength
  const isPart = request.method === 'GET' && isRangeWanted(request.headers, validators.etag)
  const range = isPart ? parseRange(request.headers.range ?? '', length) : null
  if (range) whole.stream.destroy()
  if (range === 'unsatisfiable') {
    response.setHeader('content-range', `bytes */${length}`)
    return sendError(response, 416, 'RANGE_NOT_SATISFIABLE', `The image has ${length} bytes.`)
  }
  const blob = range ? await library.open(image, view, range) : whole
  if (!blob) return sendNotFound(response)
  response.writeHead(range ? 206 : 200, {
    ...validators,
    'content-type': view.type,
    'content-length': range ? range.end - range.start + 1 : length,
    ...(range && { 'content-range': `bytes ${range.start}-${range.end}/${length}` }),
  })
  if (request.method === 'HEAD') {
    blob.stream.destroy()
    response.end()
  } else await pipeline(blob.stream, response)
}

function describe({ type, width }: ImageView): string {
  return `-${type.split('/')[1]}${width === null ? '' : `-${width}`}`
}

/** Parses one range (RFC 9110, 14.2). Null for invalid text or several ranges: the whole image is sent then. */
function parseRange(text: string, length: number): ByteRange | 'unsatisfiable' | null {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/i.exec(text.trim()) ?? []
  if (first === '' && last === '') return null
  const start = first === '' ? Math.max(0, length - Number(last)) : Number(first)
  const end = first === '' || last === '' ? length - 1 : Math.min(Number(last), length - 1)
  if (first !== '' && last !== '' && Number(last) < start) return null
  return start >= length || (first === '' && Number(last) === 0) ? 'unsatisfiable' : { start, end }
}
