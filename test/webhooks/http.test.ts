import { expect, test } from 'vitest'
import { createAddressGuard } from '../../src/lib/net/address-guard.ts'
import { openWebhookSender } from '../../src/webhooks/http.ts'
import { openScriptedHost } from '../support/scripted-host.ts'
import { closeAfterTest } from '../support/close-after-test.ts'

const AT = Date.UTC(2026, 0, 31, 12)
const WEBHOOK = {
  id: 'evt_1',
  jobId: 'job_1',
  tenant: 'acme',
  body: '{}',
  state: 'WAITING',
  tries: 1,
  createdAt: 0,
  traceContext: null,
} as const

test('Retry-After of a webhook receiver is read as seconds or an HTTP date, and otherwise ignored', async () => {
  const host = await openScriptedHost(({ path }, response) => {
    response.writeHead(503, { 'retry-after': decodeURIComponent(path.slice(1)) }).end()
  })
  closeAfterTest(() => host.close())
  const guard = createAddressGuard({ allowedHosts: [host.host] })
  const sender = openWebhookSender({
    gatewaySecrets: ['a secret of sixteen'],
    guard,
    connections: 1,
    wallNow: () => AT,
  })
  closeAfterTest(() => sender.close())
  const answersTo = async (retryAfter: string) =>
    sender.send({ ...WEBHOOK, url: `${host.url}/${encodeURIComponent(retryAfter)}` }, null)
  for (const [retryAfter, retryAfterMs] of [
    ['120', 120_000],
    ['Sat, 31 Jan 2026 12:01:00 GMT', 60_000],
    ['Sat, 31 Jan 2026 11:00:00 GMT', 0],
    ['Sat, 99 Jan 2026 12:01:00 GMT', null],
    ['2026-02-01', null],
    ['1.5', null],
    ['-5', null],
    ['tomorrow 9', null],
  ] as const) {
    expect(await answersTo(retryAfter), retryAfter).toEqual({ kind: 'answered', httpStatus: 503, retryAfterMs })
  }
})

test('a webhook carries the wall-clock time, even after the clock was set', async () => {
  const host = await openScriptedHost((_request, response) => {
    response.writeHead(204).end()
  })
  closeAfterTest(() => host.close())
  const guard = createAddressGuard({ allowedHosts: [host.host] })
  let now = AT
  const gatewaySecrets = ['a secret of sixteen']
  const sender = openWebhookSender({ gatewaySecrets, guard, connections: 1, wallNow: () => now })
  closeAfterTest(() => sender.close())
  await sender.send({ ...WEBHOOK, url: host.url }, null)
  now += 3_600_000
  await sender.send({ ...WEBHOOK, url: host.url }, null)
  const times = host.requests.map(({ headers }) => Number(headers['webhook-timestamp']))
  expect(times).toEqual([AT / 1_000, AT / 1_000 + 3_600])
})
