import { expect, test } from 'vitest'
import { openTestApp } from '../support/test-app.ts'

test('a body of more than 256 kB is refused', async () => {
  const { app } = await openTestApp()
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: `{ __typename } # ${'x'.repeat(300_000)}` }),
  })
  expect(response.status).toBe(413)
})

test.each(['application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/plain', 'TEXT/PLAIN', ''])(
  'a request with a content type that any web page may send without a preflight (%j) is refused',
  async (type) => {
    const { app, upstream } = await openTestApp()
    const response = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: type ? { 'content-type': type } : {},
      body: new TextEncoder().encode('{"query":"{ __typename }"}'),
    })
    expect(response.status).toBe(415)
    expect(upstream.submits).toBe(0)
  },
)

test('no response may be read by another origin', async () => {
  const { app } = await openTestApp()
  const response = await fetch(`${app.url}/graphql?query={__typename}`, { headers: { origin: 'https://evil.example' } })
  expect(response.headers.get('access-control-allow-origin')).toBeNull()
})

test('a request without a document gets 400, whatever media type the client accepts', async () => {
  const { app } = await openTestApp()
  for (const accept of ['*/*', 'application/json', 'application/graphql-response+json']) {
    for (const body of ['{}', '{"query":1}', 'nonsense']) {
      const headers = { 'content-type': 'application/json', accept }
      const { status } = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body })
      expect(status, `${accept} ${body}`).toBe(400)
    }
  }
})

test.each(['on', 'off'])(
  'a document with hundreds of unknown fields is refused after ten errors, with introspection %s',
  async (INTROSPECTION) => {
    const { graphql } = await openTestApp({ settings: { INTROSPECTION } })
    const fields = Array.from({ length: 600 }, (_unused, n) => `unknown${n}`).join(' ')
    const { errors = [] } = await graphql(`{ swapJob(id: "1") { ${fields} } }`)
    expect(errors).toHaveLength(11)
    expect(errors[0]?.message).toContain('unknown0')
    expect(errors[10]?.message).toMatch(/Too many validation errors/)
  },
)
