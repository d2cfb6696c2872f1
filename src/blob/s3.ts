/**
 * Blobs in an S3-compatible bucket. An object appears whole or not at all, so there is nothing to sweep. Calls are
 * idempotent, and tried up to three times if the network or the store fails. Errors name the call and its outcome,
 * never an address, a key id or a signature.
 */
import { Readable } from 'node:stream'
import { AwsClient } from 'aws4fetch'
import { readErrorCode } from '../lib/error-code.ts'
import { systemClock } from '../lib/time/clock.ts'
import { readCapped } from '../lib/http/read-capped.ts'
import { checkKey, checkRange, isKey } from './blob-key.ts'
import type { BlobStore, ByteRange, OpenBlob, StoredBlob } from './blob-store.ts'

export interface S3Options {
  /** `https://host` without a trailing slash; the bucket is the first segment of the path. */
  readonly endpoint: string
  readonly bucket: string
  /** Prepended to each key: empty, or ending in `/`. */
  readonly prefix: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

interface Call {
  readonly operation: 'put' | 'open' | 'delete' | 'list'
  readonly url: string
  readonly method: 'PUT' | 'GET' | 'DELETE'
  readonly headers?: Record<string, string>
  readonly body?: Uint8Array<ArrayBuffer>
}

interface Page {
  /** With the prefix; includes objects of other programs. */
  readonly names: readonly string[]
  readonly blobs: readonly StoredBlob[]
  readonly isTruncated: boolean
}

/** For one call, including all tries and waits. */
const CALL_TIMEOUT_MS = 30_000
/** Waits before the second and the third try. */
const RETRY_AFTER_MS = [100, 400]
/** The largest page that S3 lists. */
const MAX_PAGE = 1_000
/** Enough for a thousand of the longest keys, escaped. */
const MAX_RESPONSE_BYTES = 8 * 1_024 * 1_024

/** Opens the store without a call: the first call shows whether the bucket and the credentials are valid. */
export function openS3BlobStore(options: S3Options): BlobStore {
  return new S3BlobStore(options)
}

class S3BlobStore implements BlobStore {
  readonly #client: AwsClient
  readonly #bucketUrl: string
  readonly #prefix: string

  constructor({ endpoint, bucket, prefix, region, accessKeyId, secretAccessKey }: S3Options) {
    this.#client = new AwsClient({ accessKeyId, secretAccessKey, region, service: 's3', retries: 0 })
    this.#bucketUrl = `${endpoint}/${bucket}`
    this.#prefix = prefix
  }

  async put(key: string, bytes: Uint8Array, contentType: string): Promise<void> {
    checkKey(key)
    const body = new Uint8Array(bytes)
    const digest = Buffer.from(await crypto.subtle.digest('SHA-256', body)).toString('hex')
    // The digest is signed, so the store refuses bytes that were changed on the way.
    const headers = { 'content-type': contentType, 'x-amz-content-sha256': digest }
    const call = { operation: 'put', method: 'PUT', url: this.#toUrl(key), headers, body } as const
    await this.#send(call, async (response) => {
      await discard(response)
      if (response.status !== 200) throw toError(call, response)
    })
  }

  async open(key: string, range?: ByteRange): Promise<OpenBlob | null> {
    checkKey(key)
    if (range) checkRange(range, Infinity)
    const headers = range ? { range: `bytes=${range.start}-${range.end}` } : {}
    const call = { operation: 'open', method: 'GET', url: this.#toUrl(key), headers } as const
    return this.#send(call, async (response) => {
      const blob = toBlob(response, range)
      if (blob) return blob
      await discard(response)
      if (response.status === 404) return null
      // The store refuses a range that begins beyond the end, and shortens one that only ends there.
      if (range) checkRange(range, response.status === 416 ? 0 : (parseSentRange(response)?.total ?? Infinity))
      if (response.ok) throw new Error(`S3 open: HTTP status ${response.status} without the requested blob or range`)
      throw toError(call, response)
    })
  }

  async delete(key: string): Promise<void> {
    checkKey(key)
    const call = { operation: 'delete', method: 'DELETE', url: this.#toUrl(key) } as const
    await this.#send(call, async (response) => {
      await discard(response)
      if (![200, 204, 404].includes(response.status)) throw toError(call, response)
    })
  }

  async list(after: string | null, limit: number): Promise<readonly StoredBlob[]> {
    const blobs: StoredBlob[] = []
    let last = after === null ? null : this.#prefix + after
    while (blobs.length < limit) {
      const page = await this.#listPage(last, Math.min(MAX_PAGE, limit - blobs.length))
      blobs.push(...page.blobs)
      last = page.names.at(-1) ?? null
      if (!page.isTruncated || last === null) break
    }
    return blobs
  }

  /** S3 reports no free space. */
  async freeBytes(): Promise<null> {
    return null
  }

  async sweep(): Promise<void> {}

  #toUrl(key: string): string {
    return `${this.#bucketUrl}/${this.#prefix}${key}`
  }

  #listPage(after: string | null, limit: number): Promise<Page> {
    const query = new URLSearchParams({ 'list-type': '2', 'max-keys': String(limit) })
    if (this.#prefix !== '') query.set('prefix', this.#prefix)
    if (after !== null) query.set('start-after', after)
    const call = { operation: 'list', method: 'GET', url: `${this.#bucketUrl}?${query.toString()}` } as const
    return this.#send(call, async (response) => parsePage(await readText(call, response), this.#prefix))
  }

  /** Makes a call, with retries. `read` is under the same timeout, and must consume or discard the body. */
  async #send<T>(call: Call, read: (response: Response) => Promise<T>): Promise<T> {
    const timeout = new AbortController()
    const timer = setTimeout(() => timeout.abort(), CALL_TIMEOUT_MS)
    try {
      for (let attempt = 0; ; attempt += 1) {
        const response = await tryOnce(this.#client, call, timeout.signal)
        if (response instanceof Response && response.status < 500) return await read(response)
        const retryAfterMs = RETRY_AFTER_MS[attempt]
        if (response instanceof Response) await discard(response)
        if (retryAfterMs === undefined || timeout.signal.aborted) {
          throw response instanceof Response ? toError(call, response) : response
        }
        // If the timeout ends the wait, the next try fails with the reason.
        await systemClock.delay(retryAfterMs, timeout.signal).catch(() => null)
      }
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Returns the response, or the error to throw after the last try. Signs each try, because signatures expire. */
async function tryOnce(client: AwsClient, call: Call, signal: AbortSignal): Promise<Response | Error> {
  const { operation, url, method, headers = {}, body = null } = call
  // Following a redirect would send our signature to another address.
  const request = await client.sign(url, { method, headers, body, signal, redirect: 'manual' })
  // Set after signing, because some proxies change it. A compressed blob would have another length.
  request.headers.set('accept-encoding', 'identity')
  try {
    return await fetch(request)
  } catch (error) {
    return new Error(`S3 ${operation}: ${signal.aborted ? 'timed out' : `no response (${toCode(error)})`}`)
  }
}

function toError({ operation }: Call, { status }: Response): Error {
  return new Error(`S3 ${operation}: HTTP status ${status}`)
}

/** The code of the cause of a failed fetch. The text of the cause may contain an address. */
function toCode(error: unknown): string {
  return (error instanceof Error && readErrorCode(error.cause)) || 'network failure'
}

/** Null if the response is not the requested blob or range. */
function toBlob(response: Response, range: ByteRange | undefined): OpenBlob | null {
  if (response.status !== (range ? 206 : 200) || !response.body) return null
  const sent = range ? parseSentRange(response) : null
  if (range && (sent?.start !== range.start || sent.end !== range.end)) return null
  const byteLength = sent ? sent.total : parseLength(response)
  return byteLength === null ? null : { byteLength, stream: toReadable(response.body) }
}

function parseLength({ headers }: Response): number | null {
  const length = headers.get('content-length') ?? ''
  return /^\d{1,15}$/.test(length) ? Number(length) : null
}

function parseSentRange({ headers }: Response): (ByteRange & { readonly total: number }) | null {
  const given = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(headers.get('content-range') ?? '')
  return given && { start: Number(given[1]), end: Number(given[2]), total: Number(given[3]) }
}

/** Like `Readable.fromWeb`, but its errors contain no address. */
function toReadable(body: NonNullable<Response['body']>): Readable {
  const reader = body.getReader()
  return new Readable({
    read() {
      reader.read().then(
        ({ done, value }) => this.push(done ? null : value),
        () => this.destroy(new Error('S3 open: the response was cut off')),
      )
    },
    destroy(reason, callback) {
      const end = () => callback(reason)
      reader.cancel().then(end, end)
    },
  })
}

async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => null)
}

async function readText(call: Call, response: Response): Promise<string> {
  if (response.status !== 200 || !response.body) {
    await discard(response)
    throw toError(call, response)
  }
  let bytes: Buffer | null
  try {
    bytes = await readCapped(response.body, MAX_RESPONSE_BYTES)
  } catch {
    throw new Error('S3 list: the response was cut off')
  }
  if (bytes === null) throw new Error('S3 list: the response is too long')
  return bytes.toString('utf8')
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
function parsePage(xml: string, prefix: string): Page {
  const [head = '', ...contents] = xml.split('<Contents>')
  if (!head.includes('<ListBucketResult')) throw new Error('S3 list: the response is not a list')
  const entries = contents.map((text) => ({
    name: textOf(text, 'Key'),
    at: Date.parse(textOf(text, 'LastModified')),
    byteLength: Number(/<Size>(\d{1,15})</.exec(text)?.[1] ?? 0),
  }))
  return {
    names: entries.map(({ name }) => name),
    // The bucket may hold objects of other programs.
    blobs: entries.flatMap(({ name, at, byteLength }) => {
      const key = name.startsWith(prefix) ? name.slice(prefix.length) : ''
      return isKey(key) ? [{ key, at, byteLength }] : []
    }),
    isTruncated: /<IsTruncated>\s*true\s*</.test(xml),
  }
}

function textOf(xml: string, tag: 'Key' | 'LastModified'): string {
  const [, text] = xml.match(tag === 'Key' ? /<Key>([^<]*)</ : /<LastModified>([^<]*)</) ?? []
  if (text === undefined) throw new Error('S3 list: an entry of the response cannot be read')
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(amp|lt|gt|quot|apos));/gi, toCharacter)
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function toCharacter(_entity: string, decimal?: string, hex?: string, name = ''): string {
  if (decimal === undefined && hex === undefined) return NAMED[name.toLowerCase()] ?? ''
  const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
  return code <= 0x10_ff_ff ? String.fromCodePoint(code) : ''
}
