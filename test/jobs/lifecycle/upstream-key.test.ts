import { expect, test } from 'vitest'
import { UpstreamKey } from '../../../src/jobs/lifecycle/upstream-key.ts'
import type { FetchOutcome, SubmitOutcome } from '../../../src/upstream/upstream.ts'
import { recordTelemetry } from '../../support/record-telemetry.ts'
import { createUpstreamPort, DOWN, failed, UNKNOWN_ID, unfinished } from '../../support/upstream-port.ts'

const REQUEST = { targetImage: 'https://a.example/1', swapImage: 'https://a.example/2', hookUrl: 'https://g.example/h' }

function openKey() {
  const { telemetry, events } = recordTelemetry()
  const port = createUpstreamPort()
  const key = new UpstreamKey(telemetry)
  return { key, port, upstream: key.watch(port), listEvents: () => events.map(({ name, args }) => [name, ...args]) }
}

const refused = (httpStatus: number, upstreamMessage: string | null = 'no'): SubmitOutcome => ({
  kind: 'refused',
  httpStatus,
  transient: false,
  retryAfterMs: null,
  failure: { code: 'UPSTREAM_REFUSED', message: 'No.', retryable: false },
  upstreamMessage,
})
const nothing = (httpStatus: number, upstreamMessage: string | null): FetchOutcome => {
  return { kind: 'nothing', httpStatus, reason: `HTTP ${httpStatus}`, upstreamMessage, isDown: false }
}

test.each<[string, SubmitOutcome, boolean | null]>([
  ['accepted', { kind: 'accepted', upstreamId: 'U1' }, true],
  ['refused for its input', refused(400), true],
  ['refused for lack of quota', refused(402), true],
  ['refused with 401', refused(401), false],
  ['refused with 403', refused(403, null), false],
  ['refused by the rate limit', refused(429), null],
  ['answered with the 404 page of another server', refused(404, null), null],
  ['not sent', { kind: 'notSent', reason: 'ECONNREFUSED' }, null],
  ['not answered', { kind: 'unknown', httpStatus: null, reason: 'TimeoutError', upstreamMessage: null }, null],
])('a submit that is %s shows whether the key is accepted: %s', async (_what, outcome, isAccepted) => {
  const { key, port, upstream } = openKey()
  port.planSubmits(outcome)
  await upstream.submit(REQUEST)
  expect(key.isAccepted).toBe(isAccepted)
})

test.each<[string, FetchOutcome, boolean | null]>([
  ['an unfinished job', unfinished('U1'), true],
  ['a failed job', failed('U1'), true],
  ['a job that the upstream says it does not know', nothing(404, 'job not found'), true],
  ['a page of another server', UNKNOWN_ID, null],
  ['401', nothing(401, null), false],
  ['an outage', DOWN, null],
])('a fetch that returns %s shows whether the key is accepted: %s', async (_what, outcome, isAccepted) => {
  const { key, port, upstream } = openKey()
  port.planFetches(outcome)
  await upstream.fetch('U1')
  expect(key.isAccepted).toBe(isAccepted)
})

test('a refused key is reported once until it is accepted again, and outages in between change nothing', async () => {
  const { key, port, upstream, listEvents } = openKey()
  port.planFetches(
    nothing(401, null),
    nothing(403, null),
    DOWN,
    nothing(401, null),
    unfinished('U1'),
    nothing(403, null),
  )
  for (let n = 0; n < 6; n += 1) await upstream.fetch('U1')
  expect(listEvents()).toEqual([['keyRefused', 401], ['keyAccepted'], ['keyRefused', 403]])
  expect(key.isAccepted).toBe(false)
})
