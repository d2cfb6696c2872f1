import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { type Authenticate, hasScope, readCredentials } from '../auth/viewer.ts'
import type { ByteRange } from '../blob/blob-store.ts'
import type { StoredImage } from '../domain/image.ts'
import type { ImageAddresses, ImageView } from '../jobs/image-addresses.ts'
import type { KeptImages } from '../jobs/kept-images.ts'
import { readQuery } from '../lib/request-path.ts'
import { sendError, sendNotFound } from './respond.ts'

export interface ImageDoorParts {
  readonly addresses: Pick<ImageAddresses, 'parse'>
  readonly findImage: (id: string) => Promise<StoredImage | null>
  readonly kept: Pick<KeptImages, 'open'>
  readonly authenticate: Authenticate
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** How long an image may be kept by whoever came with a key and not with a signature. */
const UNSIGNED_MAX_AGE_S = 300

/**
 * `GET /images/:id.:format`: for whoever has an address that is signed and not over, and for the tenant itself. What may
 * not be seen looks like what is not there. The bytes are always of our own making, of the type that the address says.
 */
export function createImageDoor({ addresses, findImage, kept, authenticate, now }: ImageDoorParts) {
  const maySee = async (request: IncomingMessage, { tenant }: StoredImage): Promise<boolean> => {
    const viewer = await authenticate(readCredentials(request))
    return viewer?.tenant === tenant && viewer.jobIds === null && hasScope(viewer, 'swap:read')
  }

  return async (request: IncomingMessage, response: ServerResponse, path: string): Promise<void> => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      sendError(response, 405, 'METHOD_NOT_ALLOWED', 'An image is read with GET.')
      return
    }
    const asked = addresses.parse(path, readQuery(request))
    const image = asked && (await findImage(asked.view.id))
    const isSigned = asked?.endsAt != null && asked.endsAt > now()
    if (!asked || image?.status !== 'READY' || !(isSigned || (await maySee(request, image)))) {
      if (asked?.endsAt != null && !isSigned)
        sendError(response, 410, 'ENDED', 'This address has ended. Ask for a new one.')
      else sendNotFound(response)
      return
    }
    const etag = `"${image.sha256}${describe(asked.view)}"`
    const maxAgeS = isSigned ? Math.floor(((asked.endsAt ?? 0) - now()) / 1_000) : UNSIGNED_MAX_AGE_S
    response.setHeader('etag', etag)
    response.setHeader('cache-control', `private, max-age=${maxAgeS}, immutable`)
    response.setHeader('accept-ranges', 'bytes')
    // Whoever has the address may show the image, also in a page that is isolated from other origins.
    response.setHeader('cross-origin-resource-policy', 'cross-origin')
    if (request.headers['if-none-match']?.split(/\s*,\s*/).includes(etag)) {
      response.writeHead(304).end()
      return
    }
    await send(request, response, image, asked.view)
  }

  async function send(request: IncomingMessage, response: ServerResponse, image: StoredImage, view: ImageView) {
    const whole = await kept.open(image, view)
    if (!whole) return sendNotFound(response)
    const length = whole.byteLength
    const range = parseRange(request.headers.range ?? '', length)
    if (range) whole.stream.destroy()
    if (range === 'unsatisfiable') {
      response.setHeader('content-range', `bytes */${length}`)
      return sendError(response, 416, 'RANGE_NOT_SATISFIABLE', `The image has ${length} bytes.`)
    }
    const blob = range ? await kept.open(image, view, range) : whole
    if (!blob) return sendNotFound(response)
    response.writeHead(range ? 206 : 200, {
      'content-type': view.type,
      'content-length': range ? range.end - range.start + 1 : length,
      ...(range && { 'content-range': `bytes ${range.start}-${range.end}/${length}` }),
    })
    if (request.method === 'HEAD') {
      blob.stream.destroy()
      response.end()
    } else await pipeline(blob.stream, response)
  }
}

function describe({ type, width }: ImageView): string {
  return `-${type.split('/')[1]}${width === null ? '' : `-${width}`}`
}

/** One range (RFC 9110, 14.2); null for what is none, or more than one: then all of it is sent. */
function parseRange(text: string, length: number): ByteRange | 'unsatisfiable' | null {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(text.trim()) ?? []
  if (first === '' && last === '') return null
  const start = first === '' ? Math.max(0, length - Number(last)) : Number(first)
  const end = first === '' || last === '' ? length - 1 : Math.min(Number(last), length - 1)
  if (first !== '' && last !== '' && Number(last) < start) return null
  return start >= length || (first === '' && Number(last) === 0) ? 'unsatisfiable' : { start, end }
}
