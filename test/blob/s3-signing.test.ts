/** Signature V4: the examples that AWS publishes for S3, and the signatures of our own requests. */
import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { AwsV4Signer } from 'aws4fetch'
import { afterEach, expect, test } from 'vitest'
import { openS3BlobStore } from '../../src/blob/s3.ts'
import { createClosers } from '../../src/lib/async/closers.ts'
import { openScriptedHost, type SeenRequest } from '../support/scripted-host.ts'

const closers = createClosers()

afterEach(() => closers.closeAll())

const EXAMPLE = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
  service: 's3',
}
const NOTHING = createHash('sha256').digest('hex')

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html */
test.each([
  {
    example: 'GET object',
    url: 'https://examplebucket.s3.amazonaws.com/test.txt',
    headers: { range: 'bytes=0-9' },
    signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  },
  {
    example: 'list objects',
    url: 'https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J',
    headers: {},
    signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  },
])('the signer computes the published signature for the example of $example', async ({ url, headers, signature }) => {
  const signer = new AwsV4Signer({
    ...EXAMPLE,
    url,
    headers: { ...headers, 'x-amz-content-sha256': NOTHING },
    datetime: '20130524T000000Z',
    // The example signs its range header, which the signer otherwise leaves out.
    allHeaders: true,
  })
  expect(await signer.signature()).toBe(signature)
})

/** Verifies the signature of a received request, as the store does. */
async function verify(host: string, { method, path, headers }: SeenRequest): Promise<boolean> {
  const [, names = ''] = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '') ?? []
  const signed = names.split(';').filter((name) => name !== 'host')
  const signer = new AwsV4Signer({
    ...EXAMPLE,
    method,
    url: `http://${host}${path}`,
    headers: Object.fromEntries(signed.map((name) => [name, String(headers[name])])),
    datetime: String(headers['x-amz-date']),
  })
  return headers.authorization === (await signer.authHeader())
}

test('every received request has a valid signature, and a put has the digest of its bytes', async () => {
  const host = await openScriptedHost((request, response) => {
    if (request.method === 'DELETE') response.writeHead(204).end()
    else response.end(request.path.includes('list-type') ? '<ListBucketResult/>' : 'hello')
  })
  closers.add(() => host.close())
  const store = openS3BlobStore({ ...EXAMPLE, endpoint: host.url, bucket: 'images', prefix: 'a.b/c_d/' })
  await store.put('x/1-2_3.png', Buffer.from('hello'), 'image/png')
  const blob = await store.open('x/1-2_3.png')
  expect(blob && String(await buffer(blob.stream))).toBe('hello')
  await store.delete('x/1-2_3.png')
  await store.list('x/1', 7)
  expect(host.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'PUT /images/a.b/c_d/x/1-2_3.png',
    'GET /images/a.b/c_d/x/1-2_3.png',
    'DELETE /images/a.b/c_d/x/1-2_3.png',
    'GET /images?list-type=2&max-keys=7&prefix=a.b%2Fc_d%2F&start-after=a.b%2Fc_d%2Fx%2F1',
  ])
  expect(await Promise.all(host.requests.map((request) => verify(host.host, request)))).toEqual([
    true,
    true,
    true,
    true,
  ])
  expect(host.requests[0]).toMatchObject({
    body: 'hello',
    headers: {
      'content-type': 'image/png',
      'content-length': '5',
      'x-amz-content-sha256': createHash('sha256').update('hello').digest('hex'),
    },
  })
})

test('the signature check of these tests fails for another secret', async () => {
  const host = await openScriptedHost((_request, response) => response.writeHead(204).end())
  closers.add(() => host.close())
  const location = { ...EXAMPLE, endpoint: host.url, bucket: 'images', prefix: '' }
  await openS3BlobStore({ ...location, secretAccessKey: 'another' }).delete('x')
  const [request] = host.requests
  expect(request && (await verify(host.host, request))).toBe(false)
})
