/** Sends one request to the upstream and reads the whole response, within limits of time and size. */
import { brotliDecompressSync, unzipSync } from 'node:zlib'
import type { Dispatcher } from 'undici'

/** No response of this API is longer. */
const MAX_RESPONSE_BYTES = 256 * 1024

export interface HttpAnswer {
  readonly httpStatus: number
  readonly body: string
  readonly retryAfterMs: number | null
}

/** The request timed out. */
class TimeoutError extends Error {
  override readonly name = 'TimeoutError'
}

/** The request failed before its first byte was written, so nothing was sent; `cause` says why. */
export class NotSentError extends Error {
  override readonly name = 'NotSentError'

  constructor(cause: unknown) {
    super('nothing was sent', { cause })
  }
}

/**
 * Sends a request. Rejects and drops the connection on a timeout, or if the response is too long.
 * @param timeoutMs from the call to the last byte of the response.
 * @throws {NotSentError} if it failed before the first byte of the request.
 */
export async function call(
  dispatcher: Dispatcher,
  timeoutMs: number,
  request: Dispatcher.DispatchOptions,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const handler = new AnswerReader(timeoutMs, resolve, reject)
    try {
      dispatcher.dispatch(request, handler)
    } catch (error) {
      // A request that cannot be written at all, such as one with a forbidden character in a header.
      handler.fail(error)
    }
  })
}

/** A bare handler: a stream and an abort signal cost more than the rest of a small call. */
class AnswerReader implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: HttpAnswer) => void
  readonly #reject: (error: unknown) => void
  readonly #timer: NodeJS.Timeout
  readonly #chunks: Buffer[] = []
  #bytes = 0
  #httpStatus = 0
  #encoding: string | null = null
  #retryAfterMs: number | null = null
  /** Null until the request is about to be written to a connection. */
  #controller: Dispatcher.DispatchController | null = null
  /** Why the request was aborted; null if it was not. */
  #failure: Error | null = null

  constructor(timeoutMs: number, resolve: (answer: HttpAnswer) => void, reject: (error: unknown) => void) {
    this.#resolve = resolve
    this.#reject = reject
    this.#timer = setTimeout(() => this.#giveUp(new TimeoutError('the call timed out')), timeoutMs)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Called before the first byte: a request that was aborted while it waited for a connection is not written.
    if (this.#failure) controller.abort(this.#failure)
    else this.#controller = controller
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    httpStatus: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    this.#httpStatus = httpStatus
    const encoding = [headers['content-encoding'] ?? []].flat().join(',').trim().toLowerCase()
    this.#encoding = encoding === '' || encoding === 'identity' ? null : encoding
    this.#retryAfterMs = parseRetryAfterMs(headers['retry-after'])
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.byteLength
    if (this.#bytes > MAX_RESPONSE_BYTES) this.#giveUp(new Error('the response is too long'))
    else this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    clearTimeout(this.#timer)
    const [first, ...rest] = this.#chunks
    const bytes = first && rest.length === 0 ? first : Buffer.concat(this.#chunks, this.#bytes)
    this.#resolve({
      httpStatus: this.#httpStatus,
      body: toText(decompress(bytes, this.#encoding)),
      retryAfterMs: this.#retryAfterMs,
    })
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(this.#failure ?? error)
  }

  fail(error: unknown): void {
    clearTimeout(this.#timer)
    this.#reject(this.#controller === null ? new NotSentError(error) : error)
  }

  #giveUp(failure: Error): void {
    this.#failure = failure
    this.fail(failure)
    this.#controller?.abort(failure)
  }
}

/**
 * Decompresses a response: some proxies compress although `identity` was requested. Synchronous, because the result has
 * at most MAX_RESPONSE_BYTES. Returns no bytes if the response cannot be decompressed.
 */
function decompress(bytes: Buffer, encoding: string | null): Buffer {
  if (encoding === null) return bytes
  const options = { maxOutputLength: MAX_RESPONSE_BYTES }
  try {
    return encoding === 'br' ? brotliDecompressSync(bytes, options) : unzipSync(bytes, options)
  } catch {
    // Damaged, too long, or compressed by another method.
    return Buffer.alloc(0)
  }
}

/** Decodes UTF-8 without its byte order mark, which JSON.parse rejects (RFC 8259, section 8.1). */
function toText(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/^\uFEFF/, '')
}

/** Parses `Retry-After` in its seconds form (RFC 9110, section 10.2.3); at most an hour. Null for any other form. */
function parseRetryAfterMs(value: string | string[] | undefined): number | null {
  return typeof value === 'string' && /^\d{1,6}$/.test(value) ? Math.min(Number(value), 3_600) * 1_000 : null
}
