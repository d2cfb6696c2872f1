import type { BlobStore } from './blob-store.ts'
import { openDiskBlobStore } from './disk.ts'
import { openS3BlobStore } from './s3.ts'
import { parseUrl } from '../lib/net/parse-url.ts'

export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/**
 * Opens the store of BLOB_URL: `file:path`, or `s3://bucket/prefix?endpoint=https://…&region=…` (by default us-east-1,
 * and Amazon's endpoint there).
 * @throws {TypeError} if the address is not valid, or S3 has no credentials. The message omits the address, which may
 * contain a misplaced secret.
 */
export function openBlobStore(url: string, credentials: S3Credentials | null): BlobStore {
  if (url.startsWith('file:')) return openDiskBlobStore(toPath(url))
  const location = parseS3Url(url)
  if (!credentials?.accessKeyId || !credentials.secretAccessKey) {
    throw new TypeError('a blob store in S3 needs an access key id and a secret access key')
  }
  const { accessKeyId, secretAccessKey } = credentials
  return openS3BlobStore({ ...location, accessKeyId, secretAccessKey })
}

/** The text after `file:` is a plain path without percent-encoding, as in DATABASE_URL. */
function toPath(url: string): string {
  const path = url.slice('file:'.length).replace(/^\/\/(?=\/)/, '')
  if (path === '' || path.startsWith('//') || path.includes('\0')) {
    throw new TypeError('a blob store on disk must be "file:" and a path')
  }
  return path
}

function parseS3Url(text: string) {
  const url = parseUrl(text)
  if (url?.protocol !== 's3:') throw new TypeError('a blob store must be "file:path" or "s3://bucket/prefix"')
  if (url.username !== '' || url.password !== '' || url.port !== '' || url.hash !== '') {
    throw new TypeError('the address of a blob store in S3 must have only a bucket, a prefix, an endpoint and a region')
  }
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(url.hostname)) {
    throw new TypeError('the bucket of a blob store in S3 must have 3 to 63 of the characters a-z, 0-9, "." and "-"')
  }
  const prefix = url.pathname.replace(/^\/|\/$/g, '')
  if (!/^(?:[\w.-]+(?:\/[\w.-]+)*)?$/.test(prefix) || prefix.length > 200) {
    throw new TypeError(
      'the prefix of a blob store in S3 must have only letters, digits, "_", "-" and ".", separated by single slashes',
    )
  }
  for (const name of url.searchParams.keys()) {
    if (name !== 'endpoint' && name !== 'region') {
      throw new TypeError('the address of a blob store in S3 must have no parameters but "endpoint" and "region"')
    }
  }
  const region = url.searchParams.get('region') ?? 'us-east-1'
  if (!/^[a-z0-9-]{1,40}$/.test(region))
    throw new TypeError('the region of a blob store in S3 must be a name such as us-east-1')
  return {
    bucket: url.hostname,
    prefix: prefix === '' ? '' : `${prefix}/`,
    region,
    endpoint: parseEndpoint(url.searchParams.get('endpoint') ?? `https://s3.${region}.amazonaws.com`),
  }
}

function parseEndpoint(text: string): string {
  const url = parseUrl(text)
  const isUsable =
    url !== null &&
    (url.protocol === 'https:' || url.protocol === 'http:') &&
    `${url.username}${url.password}${url.search}${url.hash}` === ''
  if (!isUsable)
    throw new TypeError(
      'the endpoint of a blob store in S3 must be http:// or https:// with a host and an optional port',
    )
  return `${url.origin}${url.pathname.replace(/\/$/, '')}`
}
