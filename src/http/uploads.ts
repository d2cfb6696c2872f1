import type { IncomingMessage, ServerResponse } from 'node:http'
import type { StoredImage } from '../domain/image.ts'
import type { ImageAddresses } from '../jobs/image-addresses.ts'
import type { Uploads } from '../jobs/uploads.ts'
import { MAX_IMAGE_BYTES } from '../lib/image-limits.ts'
import { readBody } from '../lib/read-body.ts'
import { discardBody } from '../lib/discard-body.ts'
import { isPlain } from '../lib/read-json.ts'
import { readQuery } from '../lib/request-path.ts'
import { sendError, sendJson, sendNotFound } from './respond.ts'

/** Bytes of uploads in memory at one time, being received, decoded, or waiting for it. */
const MAX_BYTES_AT_ONCE = 8 * MAX_IMAGE_BYTES

export interface UploadDoorParts {
  readonly addresses: Pick<ImageAddresses, 'parseUpload'>
  readonly uploads: Pick<Uploads, 'find' | 'receive'>
  /** Epoch milliseconds. */
  readonly now: () => number
}

/**
 * `PUT /uploads/:id`: the bytes of a reserved upload, exactly as many as were announced. The declared type is a hint: the
 * bytes decide. A repeated PUT, for example after a lost answer, is answered with the outcome of the first.
 */
export function createUploadDoor({ addresses, uploads, now }: UploadDoorParts) {
  let bytesAtWork = 0

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
    const { 'content-type': type = '', 'content-length': length } = request.headers
    if (/^multipart\//i.test(type)) {
      return refuse(response, 415, 'UNSUPPORTED_MEDIA_TYPE', 'Send the bytes of the image as the body, not in a form.')
    }
    if (!isPlain(request)) {
      return refuse(response, 415, 'ENCODING_NOT_SUPPORTED', 'Send the image without Content-Encoding.')
    }
    // Chunked by a proxy, the length is only known at the end.
    if (length !== undefined && Number(length) !== upload.byteLength) return refuseLength(response, upload)
    if (bytesAtWork + upload.byteLength > MAX_BYTES_AT_ONCE) {
      response.setHeader('retry-after', '1')
      return refuse(response, 503, 'UNAVAILABLE', 'Too many uploads at one time. Send it again in a moment.')
    }
    bytesAtWork += upload.byteLength
    try {
      const bytes = await readBody(request, upload.byteLength)
      if (bytes?.byteLength !== upload.byteLength) return refuseLength(response, upload)
      answer(response, await uploads.receive(upload, bytes))
    } finally {
      bytesAtWork -= upload.byteLength
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
