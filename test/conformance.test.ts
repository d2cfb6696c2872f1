import { serverAudits } from 'graphql-http'
import { expect, test } from 'vitest'
import { openTestApp } from './support/test-app.ts'

/** The audits of the GraphQL over HTTP reference implementation. */
const audits = serverAudits({ url: () => url, fetchFn: fetch })
let url = ''

test.each(audits.map((audit) => [audit.id, audit.name, audit] as const))('%s %s', async (_id, _name, audit) => {
  url = `${(await openTestApp()).app.url}/graphql`
  const result = await audit.fn()
  expect(result.status === 'ok' ? 'ok' : `${result.status}: ${result.reason}`).toBe('ok')
})
