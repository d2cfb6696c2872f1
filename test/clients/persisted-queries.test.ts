/** Apollo Client with its link for automatic persisted queries, configured as in its documentation. */
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client/core/index.js'
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries/index.js'
import { expect, test } from 'vitest'
import { sha256 } from '../../src/lib/crypto/sha256.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { openTestApp, type TestApp } from '../support/test-app.ts'

const QUERY = gql`
  query Service {
    swapService {
      accepting
    }
  }
`

function openClient({ app }: TestApp, options: { readonly useGETForHashedQueries?: boolean } = {}) {
  const requests: { readonly method: string; readonly hasText: boolean; readonly hasDigest: boolean }[] = []
  const record: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    const sent = `${request.url} ${await request.clone().text()}`
    const [hasText, hasDigest] = [sent.includes('accepting'), sent.includes('sha256Hash')]
    requests.push({ method: request.method, hasText, hasDigest })
    return fetch(request)
  }
  const link = ApolloLink.from([
    new PersistedQueryLink({ sha256, ...options }),
    new HttpLink({ uri: `${app.url}/graphql`, fetch: record }),
  ])
  const client = new ApolloClient({ cache: new InMemoryCache(), link })
  closeAfterTest(() => client.stop())
  const ask = async () => (await client.query({ query: QUERY, fetchPolicy: 'network-only' })).data
  return { ask, requests }
}

test.each([{}, { useGETForHashedQueries: true }])(
  'Apollo Client with persisted queries %o sends one digest, then the text of every operation',
  async (options) => {
    const { ask, requests } = openClient(await openTestApp(), options)
    for (let n = 0; n < 3; n += 1) expect(await ask()).toMatchObject({ swapService: { accepting: true } })
    const method = 'useGETForHashedQueries' in options ? 'GET' : 'POST'
    expect(requests[0]).toEqual({ method, hasText: false, hasDigest: true })
    expect(requests.slice(1)).toEqual(
      Array.from({ length: 3 }, () => ({ method: 'POST', hasText: true, hasDigest: false })),
    )
  },
)

test('Apollo Client with a manifest that lacks the document does not send its text', async () => {
  const gateway = await openTestApp({ settings: { TRUSTED_DOCUMENTS: 'schema/trusted-documents.json' } })
  const { ask, requests } = openClient(gateway)
  await expect(ask()).rejects.toMatchObject({ errors: [{ extensions: { code: 'DOCUMENT_NOT_TRUSTED' } }] })
  expect(requests).toEqual([{ method: 'POST', hasText: false, hasDigest: true }])
})
