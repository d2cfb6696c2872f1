import type { IncomingMessage, ServerResponse } from 'node:http'
import type { StoredImage } from '../domain/image.ts'
import type { ImageAddresses } from '../jobs/image-addresses.ts'
import type { Uploads } from '../jobs/uploads.ts'
import { readBody } from '../lib/read-body.ts'
import { discardBody } from '../lib/discard-body.ts'
import { isPlain } from '../lib/read-json.ts'
import { readQuery } from '../lib/request-path.ts'
import { sendError, sendJson, sendNotFound } from './respond.ts'

/** Uploads whose bytes are in memory at one time. */
const MAX_AT_ONCE = 4

export interface UploadDoorParts {
  readonly addresses: Pick<ImageAddresses, 'parseUpload'>
  readonly uploads: Pick<Uploads, 'find' | 'receive'>
  /** Epoch milliseconds. */
  readonly now: () => number
}

/**
 * `PUT /uploads/:id`: the bytes of a reserved upload, with exactly the type and the length that were announced. A second
 * PUT, as after a lost answer, is answered with the state of the upload.
 */
export function createUploadDoor({ addresses, uploads, now }: UploadDoorParts) {
  let atWork = 0

  return async (request: IncomingMessage, response: ServerResponse, path: string): Promise<void> => {
    if (request.method !== 'PUT') {
      response.setHeader('allow', 'PUT')
      return refuse(response, 405, 'METHOD_NOT_ALLOWED', 'The bytes of an upload are sent with PUT.')
    }
    const asked = addresses.parseUpload(path, readQuery(request))
    const upload = asked && (await uploads.find(asked.id))
    if (!asked || !upload) {
      sendNotFound(response)
      return discardBody(request)
    }
    if (upload.status !== 'AWAITING_BYTES') {
      answer(response, upload)
      return discardBody(request)
    }
    if (asked.endsAt <= now()) return refuse(response, 410, 'ENDED', 'This address has ended. Reserve another upload.')
    const { 'content-type': type, 'content-length': length } = request.headers
    if (type?.trim().toLowerCase() !== upload.contentType) {
      return refuse(response, 415, 'UNSUPPORTED_MEDIA_TYPE', `Send it as ${upload.contentType}, as was announced.`)
    }
    if (!isPlain(request)) {
      return refuse(response, 415, 'ENCODING_NOT_SUPPORTED', 'Send the image without Content-Encoding.')
    }
    // Chunked by a proxy, the length is only known at the end.
    if (length !== undefined && Number(length) !== upload.byteLength) return refuseLength(response, upload)
    if (atWork >= MAX_AT_ONCE) {
      response.setHeader('retry-after', '1')
      return refuse(response, 503, 'UNAVAILABLE', 'Too many uploads at one time. Send it again in a moment.')
    }
    atWork += 1
    try {
      const bytes = await readBody(request, upload.byteLength)
      if (bytes?.byteLength !== upload.byteLength) return refuseLength(response, upload)
      answer(response, await uploads.receive(upload, bytes))
    } finally {
      atWork -= 1
    }
  }
}

function answer(response: ServerResponse, { id, status, rejection, width, height }: StoredImage): void {
  sendJson(response, status === 'READY' ? 200 : 422, { id, status, rejection, width, height })
}

function refuseLength(response: ServerResponse, { byteLength }: StoredImage): void {
  refuse(response, 400, 'WRONG_LENGTH', `Send exactly ${byteLength} bytes, the length that was announced.`)
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  sendError(response, status, code, message)
  discardBody(response.req)
}
