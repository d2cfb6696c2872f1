/** A gateway with trusted documents runs only these, on every transport. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { CreateSwapDocument, SwapJobDocument } from '../../support/generated.ts'
import { START_DOCUMENT } from '../../../src/page/home-page.ts'
import { makeDataDir, openTestApp, subscribeSse, type TestApp } from '../../support/test-app.ts'

const MANIFEST = 'schema/trusted-documents.json'
const manifest = JSON.parse(readFileSync(MANIFEST, 'utf8')) as Record<string, string>
const idOf = (text: string) => Object.keys(manifest).find((id) => manifest[id] === text) ?? ''

let gateway: TestApp
beforeEach(async () => {
  gateway = await openTestApp({ settings: { TRUSTED_DOCUMENTS: MANIFEST } })
})

async function post(body: object) {
  const response = await fetch(`${gateway.app.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
    body: JSON.stringify(body),
  })
  return { status: response.status, json: (await response.json()) as Record<string, any> } // oxlint-disable-line typescript/no-explicit-any
}

test('the documents of the clients and of the page are listed', () => {
  expect([CreateSwapDocument, SwapJobDocument].map((document) => idOf(document.toString()))).not.toContain('')
  expect(idOf(START_DOCUMENT)).not.toBe('')
})

test.each<[string, (id: string, text: string) => object]>([
  ['by its text', (_id, text) => ({ query: text })],
  ['by its id', (id) => ({ documentId: id })],
  ['by its id with the algorithm', (id) => ({ documentId: `sha256:${id}` })],
  ['as a persisted query', (id) => ({ extensions: { persistedQuery: { version: 1, sha256Hash: id } } })],
])('a listed document runs %s', async (_how, ask) => {
  const text = SwapJobDocument.toString()
  const { status, json } = await post({ ...ask(idOf(text), text), variables: { id: 'job_none' } })
  expect([status, json]).toEqual([200, { data: { swapJob: null } }])
})

test('a document that is not listed is refused, however it is named', async () => {
  for (const body of [
    { query: '{ __typename }' },
    { query: `${SwapJobDocument.toString()} ` },
    { documentId: 'a'.repeat(64) },
    { documentId: idOf(SwapJobDocument.toString()).slice(1) },
    { documentId: '__proto__' },
    { extensions: { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } } },
    { query: '{ __typename }', extensions: { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } } },
  ]) {
    const { status, json } = await post(body)
    expect([status, json['errors'][0].extensions.code]).toEqual([400, 'DOCUMENT_NOT_TRUSTED'])
    // On this message clients of automatic persisted queries send the text.
    expect(JSON.stringify(json)).not.toMatch(/PersistedQuery|PERSISTED_QUERY/)
  }
})

test('a document that is not listed is refused over SSE and WebSocket as well', async () => {
  const events = []
  for await (const event of subscribeSse(gateway.app.url, '{ __typename }', {})) events.push(event)
  expect(events).toMatchObject([{ errors: [{ extensions: { code: 'DOCUMENT_NOT_TRUSTED' } }] }])
})

test('a listed document also runs by its name in a GET', async () => {
  const variables = encodeURIComponent('{"id":"job_none"}')
  const id = idOf(SwapJobDocument.toString())
  const response = await fetch(`${gateway.app.url}/graphql?documentId=${id}&variables=${variables}`)
  expect(await response.json()).toEqual({ data: { swapJob: null } })
})

test('a file that is not a list of documents stops the start with an error that names the setting', async () => {
  const path = join(await makeDataDir(), 'documents.json')
  for (const text of ['nonsense', '[1]', '{"a":1}', 'null']) {
    writeFileSync(path, text)
    await expect(openTestApp({ settings: { TRUSTED_DOCUMENTS: path } })).rejects.toThrow(/^TRUSTED_DOCUMENTS must name/)
  }
})
