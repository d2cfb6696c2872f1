import type { IncomingMessage, ServerResponse } from 'node:http'
import { GatewayError } from '../domain/errors.ts'
import type { StoredImage } from '../domain/image.ts'
import type { ImageAddresses } from '../jobs/images/image-addresses.ts'
import type { Uploads } from '../jobs/images/uploads.ts'
import type { Clock } from '../lib/time/clock.ts'
import { MAX_IMAGE_BYTES } from '../lib/image/image-limits.ts'
import { isPlain, readBody } from '../lib/http/read-body.ts'
import { discardBody } from '../lib/http/discard-body.ts'
import { readQuery } from '../lib/http/request-head.ts'
import { sendError, sendJson, sendNotFound } from './respond.ts'

/** Maximum bytes of all uploads that are being received, queued or decoded concurrently. */
const MAX_BYTES_AT_ONCE = 8 * MAX_IMAGE_BYTES
/** The same for the uploads of one tenant. */
const MAX_TENANT_BYTES = MAX_BYTES_AT_ONCE / 4
/** An upload that sends less than this in an interval is refused, so that a slow client does not hold memory. */
const MIN_BYTES = 64 * 1_024
const MIN_BYTES_INTERVAL_MS = 5_000

export interface UploadHandlerParts {
  readonly addresses: Pick<ImageAddresses, 'parseUpload'>
  readonly uploads: Pick<Uploads, 'find' | 'receive'>
  readonly clock: Pick<Clock, 'now' | 'after'>
}

/**
 * `PUT /uploads/:id`: receives the bytes of a reserved upload, exactly as many as were reserved. The declared type is
 * only a hint: the bytes decide. A repeated PUT, for example after a lost response, gets the outcome of the first.
 */
export function createUploadHandler({ addresses, uploads, clock }: UploadHandlerParts) {
  /** Bytes of the uploads in progress, by tenant. */
  const bytesAtWork = new Map<string, number>()

  const hasRoom = ({ tenant, byteLength }: StoredImage): boolean => {
    const all = [...bytesAtWork.values()].reduce((sum, bytes) => sum + bytes, 0)
    return all + byteLength <= MAX_BYTES_AT_ONCE && (bytesAtWork.get(tenant) ?? 0) + byteLength <= MAX_TENANT_BYTES
  }

  const hold = (tenant: string, bytes: number) => {
    const held = (bytesAtWork.get(tenant) ?? 0) + bytes
    if (held > 0) bytesAtWork.set(tenant, held)
    else bytesAtWork.delete(tenant)
  }

  return async (request: IncomingMessage, response: ServerResponse, path: string): Promise<void> => {
    if (request.method !== 'PUT') {
      response.setHeader('allow', 'PUT')
      return refuse(response, 405, 'METHOD_NOT_ALLOWED', 'Send the file with PUT.')
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
    if (asked.endsAt <= clock.now())
      return refuse(response, 410, 'ENDED', 'This URL has expired. Reserve another upload.')
    const { 'content-type': type = '', 'content-length': length } = request.headers
    if (/^multipart\//i.test(type)) {
      return refuse(response, 415, 'UNSUPPORTED_MEDIA_TYPE', 'Send the file as the request body, not in a form.')
    }
    if (!isPlain(request)) {
      return refuse(response, 415, 'ENCODING_NOT_SUPPORTED', 'Send the image without Content-Encoding.')
    }
    // Without a Content-Length, for example from a proxy that sends chunks, the length is only known at the end.
    if (length !== undefined && Number(length) !== upload.byteLength) return refuseLength(response, upload)
    if (!hasRoom(upload)) return refuseForNow(response, 'Too many uploads are in progress. Try again in a moment.')
    hold(upload.tenant, upload.byteLength)
    const stopWatching = watchRate(request, response, clock)
    try {
      const bytes = await readBody(request, upload.byteLength)
      stopWatching()
      if (bytes?.byteLength !== upload.byteLength) return refuseLength(response, upload)
      answer(response, await uploads.receive(upload, bytes))
    } catch (error) {
      // `watchRate` has already responded with 408.
      if (response.headersSent) return
      if (!(error instanceof GatewayError) || error.code !== 'UNAVAILABLE') throw error
      refuseForNow(response, error.message)
    } finally {
      stopWatching()
      hold(upload.tenant, -upload.byteLength)
    }
  }
}

/** Responds with 408 and closes the connection if the body arrives too slowly. @returns a function to end the check. */
function watchRate(request: IncomingMessage, response: ServerResponse, clock: Pick<Clock, 'after'>): () => void {
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength
  })
  let cancel: (() => void) | null = null
  const wait = () => {
    bytes = 0
    cancel = clock.after(MIN_BYTES_INTERVAL_MS, () => {
      if (bytes >= MIN_BYTES) return wait()
      response.setHeader('connection', 'close')
      response.once('finish', () => request.destroy())
      const message = `Send at least ${MIN_BYTES} bytes in ${MIN_BYTES_INTERVAL_MS / 1_000} s.`
      sendError(response, 408, 'TOO_SLOW', message)
    })
  }
  wait()
  return () => cancel?.()
}

function refuseForNow(response: ServerResponse, message: string): void {
  response.setHeader('retry-after', '1')
  refuse(response, 503, 'UNAVAILABLE', message)
}

function answer(response: ServerResponse, { id, status, rejection, width, height }: StoredImage): void {
  sendJson(response, status === 'READY' ? 200 : 422, { id, status, rejection, width, height })
}

function refuseLength(response: ServerResponse, { byteLength }: StoredImage): void {
  refuse(response, 400, 'WRONG_LENGTH', `Send exactly ${byteLength} bytes, the byteLength of the reservation.`)
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  sendError(response, status, code, message)
  discardBody(response.req)
}
