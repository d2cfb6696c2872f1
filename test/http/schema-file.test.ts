import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { sha256 } from '../../src/lib/crypto/sha256.ts'
import { openTestApp } from '../support/test-app.ts'

const published = readFileSync('schema/schema.graphql', 'utf8')

test('/schema.graphql is the published schema as plain text, even for a caller without credentials', async () => {
  const settings = { INTROSPECTION: 'on', API_KEYS: `a:${sha256('key-of-a')}` }
  const { app } = await openTestApp({ settings })
  const response = await fetch(`${app.url}/schema.graphql`)
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8'])
  expect(await response.text()).toBe(published)
  const head = await fetch(`${app.url}/schema.graphql`, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
  expect(head.headers.get('content-length')).toBe(String(Buffer.byteLength(published)))
})

test('/schema.graphql returns 304 to a client that has cached it', async () => {
  const { app } = await openTestApp({ settings: { INTROSPECTION: 'on' } })
  const ask = async (ifNoneMatch: string) =>
    fetch(`${app.url}/schema.graphql`, { headers: { 'if-none-match': ifNoneMatch } })
  const first = await ask('"another"')
  const etag = first.headers.get('etag') ?? ''
  expect([first.status, etag]).toEqual([200, expect.stringMatching(/^"[\w-]{43}"$/)])
  for (const tags of [etag, `W/${etag}`, `"another", ${etag}`, '*']) {
    const again = await ask(tags)
    expect([again.status, again.headers.get('etag'), await again.text()]).toEqual([304, etag, ''])
  }
})

test('/schema.graphql names the setting that enables it if it is disabled', async () => {
  const { app } = await openTestApp({ settings: { INTROSPECTION: 'off' } })
  const response = await fetch(`${app.url}/schema.graphql`)
  expect([response.status, await response.json()]).toEqual([
    404,
    {
      error: {
        code: 'INTROSPECTION_DISABLED',
        message: 'Introspection is disabled, so the schema is not served. Set INTROSPECTION=on to enable it.',
      },
    },
  ])
})

test('/schema.graphql is read with GET only, and by pages of allowed origins only', async () => {
  const { app } = await openTestApp({
    settings: { INTROSPECTION: 'on', ALLOWED_ORIGINS: 'https://app.example.com' },
  })
  const url = `${app.url}/schema.graphql`
  const posted = await fetch(url, { method: 'POST' })
  expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  const options = await fetch(url, { method: 'OPTIONS' })
  expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS'])
  expect((await fetch(url, { headers: { origin: 'https://other.example.com' } })).status).toBe(403)
  const allowed = await fetch(url, { headers: { origin: 'https://app.example.com' } })
  expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([200, 'https://app.example.com'])
})
