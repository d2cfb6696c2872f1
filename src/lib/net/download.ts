/**
 * Downloads one file as tolerantly as a browser would: follows redirects, ignores the declared type, decodes content
 * encodings. Every hop passes the address guard; bytes after decoding, redirects and the total time are bounded.
 */
import { pipeline, type Readable } from 'node:stream'
import { createBrotliDecompress, createUnzip } from 'node:zlib'
import { type Dispatcher, errors, request } from 'undici'
import { type AddressGuard, AddressRefusedError } from './address-guard.ts'
import { readErrorCode } from '../error-code.ts'
import { readCapped } from '../http/read-capped.ts'
import { parseUrl } from './parse-url.ts'

const MAX_REDIRECTS = 10
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
const MAX_ENCODINGS = 2
const MAX_COOKIES = 20
const MAX_COOKIE_CHARS = 4_096
const REQUEST_HEADERS = {
  // Many hosts refuse requests without a user agent.
  'user-agent': 'swapface-gateway (image download)',
  // Lists our types first, or hosts that negotiate send AVIF. The wildcards prevent strict hosts from returning 406.
  accept: 'image/jpeg, image/png, image/webp, image/*;q=0.5, */*;q=0.1',
  'accept-encoding': 'identity',
} as const

export type DownloadProblem =
  | 'ADDRESS_NOT_ALLOWED'
  | 'HOST_NOT_FOUND'
  | 'CONNECTION_REFUSED'
  | 'CONNECTION_FAILED'
  | 'TLS_FAILED'
  | 'TIMED_OUT'
  | 'NOT_FOUND'
  | 'ACCESS_DENIED'
  | 'HOST_FAILED'
  | 'TOO_MANY_REDIRECTS'
  | 'TOO_LARGE'

/**
 * A failed download. The message is a predicate without a full stop: "could not be downloaded: its host refused the
 * connection". It never contains the host or other input of the caller.
 */
export class DownloadError extends Error {
  override readonly name = 'DownloadError'
  readonly code: DownloadProblem
  /** Whether a retry may succeed. */
  readonly isTransient: boolean

  constructor(code: DownloadProblem, predicate: string, isTransient: boolean, cause?: unknown) {
    super(predicate, { cause })
    this.code = code
    this.isTransient = isTransient
  }
}

export interface DownloadOptions {
  readonly guard: Pick<AddressGuard, 'checkUrl'>
  /** Must connect through the same guard. */
  readonly dispatcher: Dispatcher
  readonly maxBytes: number
  /** From the call to the last byte, redirects included. */
  readonly timeoutMs: number
}

/** @param onLength called with the length of the result before its bytes arrive, if the host announces it. */
export type Download = (
  url: string,
  signal?: AbortSignal,
  onLength?: (byteLength: number) => void,
) => Promise<Uint8Array>

/** @returns a download that throws DownloadError, or the abort reason of its signal. */
export function createDownload({ guard, dispatcher, maxBytes, timeoutMs }: DownloadOptions): Download {
  async function follow(first: URL, signal: AbortSignal, onLength: (byteLength: number) => void): Promise<Uint8Array> {
    const cookies = new Map<string, readonly string[]>()
    let url = first
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      guard.checkUrl(url)
      const cookie = cookies.get(url.host)?.join('; ')
      const { statusCode, headers, body } = await request(url, {
        dispatcher,
        signal,
        headers: { ...REQUEST_HEADERS, ...(cookie !== undefined && { cookie }) },
      })
      // An unread body is destroyed, not drained, and then emits an error.
      body.on('error', () => undefined)
      try {
        const location = [headers['location'] ?? []].flat()[0]
        if (!REDIRECTS.has(statusCode) || location === undefined) {
          checkStatus(statusCode, headers['content-range'])
          return await readBody(body, headers, onLength)
        }
        // Some hosts redirect to the same address until the client returns their cookie.
        cookies.set(url.host, [headers['set-cookie'] ?? []].flat().flatMap(toCookie).slice(0, MAX_COOKIES))
        url = resolveLocation(location, url)
      } finally {
        body.destroy()
      }
    }
    throw failed('TOO_MANY_REDIRECTS', `more than ${MAX_REDIRECTS} redirects`)
  }

  async function readBody(
    body: Readable,
    headers: Record<string, string | string[] | undefined>,
    onLength: (byteLength: number) => void,
  ): Promise<Uint8Array> {
    const encodings = readEncodings(headers['content-encoding'])
    const length = encodings.length === 0 ? headers['content-length'] : undefined
    if (Number(length ?? 0) > maxBytes) throw tooLarge()
    if (length !== undefined) onLength(Number(length))
    const bytes = await readCapped(encodings.reduceRight(decodeBody, body), maxBytes)
    if (bytes === null) throw tooLarge()
    return bytes
  }

  function tooLarge(): DownloadError {
    return new DownloadError('TOO_LARGE', `is too large: more than ${Math.floor(maxBytes / 1e6)} MB`, false)
  }

  return async (url, signal, onLength = () => {}) => {
    const timeout = AbortSignal.timeout(timeoutMs)
    try {
      return await follow(new URL(url), signal ? AbortSignal.any([signal, timeout]) : timeout, onLength)
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof DownloadError) throw error
      if (timeout.aborted) throw failed('TIMED_OUT', `no complete answer within ${timeoutMs / 1000} s`, true, error)
      throw toDownloadError(error)
    }
  }
}

function failed(code: DownloadProblem, reason: string, isTransient = false, cause?: unknown): DownloadError {
  return new DownloadError(code, `could not be downloaded: ${reason}`, isTransient, cause)
}

/** @throws {DownloadError} unless the response contains the whole file. */
function checkStatus(status: number, contentRange: string | string[] | undefined): void {
  if (status === 200 || status === 203) return
  const [, last, total] = /^bytes 0-(\d{1,15})\/(\d{1,15})$/.exec(String(contentRange)) ?? []
  if (status === 206 && last !== undefined && Number(last) + 1 === Number(total)) return
  const isTransient = status === 408 || status === 425 || status === 429 || status >= 500
  const isMissing = status === 404 || status === 410
  const isDenied = status === 401 || status === 402 || status === 403 || status === 451
  const code = isMissing ? 'NOT_FOUND' : isDenied ? 'ACCESS_DENIED' : 'HOST_FAILED'
  throw failed(code, `its host answered with status ${status}`, isTransient)
}

/** Header bytes arrive as Latin-1; browsers read those of a Location as UTF-8 if they are UTF-8. */
function resolveLocation(location: string, base: URL): URL {
  const utf8 = Buffer.from(location, 'latin1').toString('utf8')
  const text = utf8.includes('\uFFFD') ? location : utf8
  const url = parseUrl(text, base.href)
  if (!url) throw failed('HOST_FAILED', 'its host redirects to no valid address')
  return url
}

function toCookie(header: string): string[] {
  const [pair = ''] = header.split(';', 1)
  return pair.includes('=') && pair.length <= MAX_COOKIE_CHARS ? [pair.trim()] : []
}

/** Returns the encodings in the order in which the host applied them. */
function readEncodings(header: string | string[] | undefined): readonly string[] {
  const names = [header ?? []].flat().join(',').toLowerCase().split(',')
  const encodings = names.map((name) => name.trim()).filter((name) => name !== '' && name !== 'identity')
  if (encodings.length > MAX_ENCODINGS) throw failed('HOST_FAILED', 'its host uses too many content encodings')
  return encodings
}

function decodeBody(from: Readable, encoding: string): Readable {
  const decoder = createDecoder(encoding)
  // An error in either stream destroys both, and reading the decoder throws it.
  pipeline(from, decoder, () => undefined)
  return decoder
}

function createDecoder(encoding: string) {
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
    case 'deflate':
      return createUnzip()
    case 'br':
      return createBrotliDecompress()
    default:
      throw failed('HOST_FAILED', 'its host uses a content encoding that is not supported')
  }
}

function toDownloadError(error: unknown): DownloadError {
  if (error instanceof AddressRefusedError)
    return failed('ADDRESS_NOT_ALLOWED', 'its address is not allowed', false, error)
  const code = readErrorCode(error)
  switch (code) {
    case 'ENOTFOUND':
    case 'ENODATA':
      return failed('HOST_NOT_FOUND', 'its host name does not exist', false, error)
    case 'EAI_AGAIN':
    case 'ESERVFAIL':
    case 'ETIMEOUT':
      return failed('HOST_NOT_FOUND', 'its host name could not be looked up', true, error)
    case 'ECONNREFUSED':
      return failed('CONNECTION_REFUSED', 'its host refused the connection', true, error)
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return failed('TIMED_OUT', 'its host did not accept the connection in time', true, error)
    case 'ECONNRESET':
    case 'EPIPE':
    case 'UND_ERR_SOCKET':
    case 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH':
      return failed('CONNECTION_FAILED', 'the connection to its host broke off', true, error)
    default:
  }
  if (/^(?:ERR_TLS|ERR_SSL|CERT_|EPROTO|DEPTH_ZERO_|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_)/.test(code)) {
    return failed(
      'TLS_FAILED',
      'no secure connection to its host: its certificate or TLS version is not valid',
      false,
      error,
    )
  }
  if (error instanceof errors.HTTPParserError || code === 'UND_ERR_HEADERS_OVERFLOW') {
    return failed('HOST_FAILED', "its host's answer is not valid HTTP", false, error)
  }
  if (/^(?:Z_|ERR_BROTLI|ERR__ERROR_)/.test(code)) {
    return failed('HOST_FAILED', "its host's answer cannot be decompressed", false, error)
  }
  return failed('CONNECTION_FAILED', 'its host could not be reached', true, error)
}
