/** Background copies of results. */
import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { closeAfterTest } from '../support/close-after-test.ts'
import { makeImage } from '../support/images.ts'
import { openScriptedHost } from '../support/scripted-host.ts'
import { openTestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const CREATE = `mutation { createSwap(input: {
  targetImage: { url: "https://example.com/t.jpg" }, swapImage: { url: "https://example.com/f.jpg" } }) { __typename } }`

test('a stopping gateway finishes the copies in progress and starts no waiting ones', async () => {
  const image = await makeImage()
  const responses: ServerResponse[] = []
  const host = await openScriptedHost((_request, response) => responses.push(response))
  closeAfterTest(() => host.close())
  const { app, graphql, upstream } = await openTestApp({ settings: { ALLOWED_PRIVATE_HOSTS: host.host } })
  const links = { cdnImage: `${host.url}/result.jpg` }
  upstream.scriptJobs(() => ({ states: [{ afterMs: 0, state: { status: 'SUCCESS', links } }], hooks: { copies: 1 } }))
  for (let n = 0; n < 8; n += 1) await graphql(CREATE)
  // The number of concurrent copies.
  await until(() => responses.length === 4)
  await until(() => upstream.hooks.length === 8)
  const closing = app.close()
  for (const response of responses) response.end(image)
  await closing
  expect(host.requests).toHaveLength(4)
})
