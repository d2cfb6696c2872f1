/**
 * Downloads one input image: public addresses only (each redirect's too), at
 * most three redirects, a total time-out and a byte cap while streaming, and
 * only what the first bytes say is a jpeg, png or webp. A refusal is worded
 * for the caller, so that nothing of DNS or sockets shows in it.
 */
import { request, type Dispatcher } from 'undici'

import { AddressRefused, type AddressGuard } from '../../../src/lib/address-guard.ts'
import { findImageType } from '../../../src/lib/image-type.ts'
import { readCapped } from '../../../src/lib/read-capped.ts'

const MAX_REDIRECTS = 3
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** The image cannot be used. The message goes on from "The target image ", without a full stop. */
export class ImageRefused extends Error {
  override readonly name = 'ImageRefused'
}

export interface DownloadOptions {
  readonly guard: AddressGuard
  /** Its connections pass the same guard. */
  readonly dispatcher: Dispatcher
  readonly maxBytes: number
  /** For all of it: redirects and the last byte included. */
  readonly timeoutMs: number
}

export type Download = (url: string, signal: AbortSignal) => Promise<Uint8Array>

/** @returns a download that throws ImageRefused for what cannot be used, and the signal's reason when it aborts. */
export function createDownload({ guard, dispatcher, maxBytes, timeoutMs }: DownloadOptions): Download {
  async function get(url: URL, signal: AbortSignal, redirectsLeft: number): Promise<Uint8Array> {
    guard.checkUrl(url)
    const { statusCode, headers, body } = await request(url, {
      dispatcher,
      signal,
      headers: { accept: 'image/jpeg, image/png, image/webp', 'accept-encoding': 'identity' },
    })
    // What is left unread ends with its connection: a body is never drained to be polite.
    body.on('error', () => undefined)
    try {
      const { location } = headers
      if (REDIRECTS.has(statusCode) && typeof location === 'string') {
        if (redirectsLeft === 0) throw new ImageRefused(`could not be downloaded: more than ${MAX_REDIRECTS} redirects`)
        if (!URL.canParse(location, url.href))
          throw new ImageRefused('could not be downloaded: a redirect to no address')
        body.destroy()
        return await get(new URL(location, url), signal, redirectsLeft - 1)
      }
      if (statusCode !== 200) throw new ImageRefused(`could not be downloaded: ${statusCode} from ${url.host}`)
      if (Number(headers['content-length'] ?? 0) > maxBytes) throw tooLarge()
      return await readImage(body)
    } finally {
      body.destroy()
    }
  }

  async function readImage(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
    const image = await readCapped(body, maxBytes)
    if (image === null) throw tooLarge()
    if (findImageType(image) === null) throw new ImageRefused('could not be read: it is not a JPEG, PNG or WebP image')
    return image
  }

  function tooLarge(): ImageRefused {
    return new ImageRefused(`is too large: more than ${Math.floor(maxBytes / 1_000_000)} MB`)
  }

  return async (url, signal) => {
    const timeout = AbortSignal.timeout(timeoutMs)
    try {
      return await get(new URL(url), AbortSignal.any([signal, timeout]), MAX_REDIRECTS)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof ImageRefused) throw error
      if (error instanceof AddressRefused) throw new ImageRefused(`could not be downloaded: ${error.message}`)
      const seconds = timeoutMs / 1000
      const reason = timeout.aborted ? `no complete answer within ${seconds} s` : toReason(error)
      throw new ImageRefused(`could not be downloaded: ${reason}`)
    }
  }
}

function toReason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : ''
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'its host name is not known'
    case 'ECONNREFUSED':
      return 'its host refuses connections'
    default:
      return 'its host cannot be reached'
  }
}
