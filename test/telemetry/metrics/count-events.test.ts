import { expect, test } from 'vitest'
import type { StoredImage } from '../../../src/domain/image.ts'
import type { Report } from '../../../src/domain/report.ts'
import type { Webhook, WebhookAttempt } from '../../../src/domain/webhook.ts'
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts'
import { createManualClock } from '../../support/manual-clock.ts'
import { makeSwapJob } from '../../support/jobs.ts'
import { parseMetrics } from '../../support/metric-series.ts'

const OUTCOME = { kind: 'accepted', httpStatus: 200, reason: null, upstreamId: 'U1', upstreamMessage: null }
const WEBHOOK: Webhook = {
  id: 'evt_1',
  jobId: 'job_1',
  tenant: 'a',
  url: 'https://example.com/',
  body: '{}',
  state: 'WAITING',
  tries: 0,
  createdAt: 1_000,
  traceContext: null,
}
const ATTEMPT: WebhookAttempt = { at: 0, httpStatus: 200, error: null }

function openMetrics() {
  const clock = createManualClock()
  const metrics = createMetrics({ version: '1.2.3', database: 'sqlite', upstream: 'embedded' }, () => clock.now())
  const read = async () => {
    const series = parseMetrics(await metrics.render())
    return (name: string) => series.get(`swapface_${name}`)
  }
  return { ...metrics.telemetry, clock, read }
}

const report = (source: Report['source'], at: number): Report => ({ source, at, finding: { kind: 'unanswered' } })

test('a request is counted by route and by the class of its status', async () => {
  const { requestAnswered, read } = openMetrics()
  requestAnswered('graphql', 200)
  requestAnswered('graphql', 204)
  requestAnswered('hook', 404)
  requestAnswered('graphql', 101)
  requestAnswered('upload', null)
  const valueOf = await read()
  expect(valueOf('http_requests_total{route="graphql",status_class="2xx"}')).toBe(2)
  expect(valueOf('http_requests_total{route="graphql",status_class="1xx"}')).toBe(1)
  expect(valueOf('http_requests_total{route="hook",status_class="4xx"}')).toBe(1)
  expect(valueOf('http_requests_total{route="upload",status_class="none"}')).toBe(1)
})

test('the duration of an operation is observed in seconds, by transport, type, name and outcome', async () => {
  const { operationAnswered, read } = openMetrics()
  operationAnswered({ transport: 'sse', type: 'subscription', name: 'Watch', isOk: false, durationMs: 40 })
  const labels = 'transport="sse",type="subscription",operation="Watch",outcome="error"'
  const valueOf = await read()
  expect(valueOf(`graphql_request_duration_seconds_sum{${labels}}`)).toBe(0.04)
  expect(valueOf(`graphql_request_duration_seconds_bucket{le="0.025",${labels}}`)).toBe(0)
  expect(valueOf(`graphql_request_duration_seconds_bucket{le="0.05",${labels}}`)).toBe(1)
})

test('hits and misses of a cache, and responses and fallbacks of the fast path, are counted', async () => {
  const { cacheRead, fastPathAnswered, fastPathFellBack, databaseQueried, read } = openMetrics()
  cacheRead('job', 3, 1)
  cacheRead('job', 0, 2)
  fastPathAnswered('cache')
  fastPathFellBack('new')
  databaseQueried()
  const valueOf = await read()
  expect(valueOf('cache_requests_total{cache="job",result="hit"}')).toBe(3)
  expect(valueOf('cache_requests_total{cache="job",result="miss"}')).toBe(3)
  expect(valueOf('fast_path_answers_total{from="cache"}')).toBe(1)
  expect(valueOf('fast_path_answers_total{from="compiled"}')).toBe(0)
  expect(valueOf('fast_path_fallbacks_total{reason="new"}')).toBe(1)
  expect(valueOf('database_queries_total')).toBe(1)
})

test('the end of a swap is counted with its duration and its price', async () => {
  const { jobCreated, jobMoved, lateChargeKnown, evidenceTooLate, jobParked, read } = openMetrics()
  const job = makeSwapJob(1_000, { status: 'ON_QUEUE' })
  const ended = makeSwapJob(1_000, {
    status: 'SUCCESS',
    finishedAt: 9_000,
    charge: { state: 'CHARGED', quota: 12 },
  })
  jobCreated(job, null)
  jobMoved(job, report('SUBMIT', 1_000))
  jobMoved(ended, report('HOOK', 9_000))
  lateChargeKnown(makeSwapJob(0, { status: 'LOST', charge: { state: 'CHARGED', quota: 30 } }))
  lateChargeKnown(makeSwapJob(0, { status: 'LOST', charge: { state: 'NOT_CHARGED', quota: null } }))
  evidenceTooLate(ended, report('HOOK', 9_000))
  jobParked(job, new Error('no'))
  const valueOf = await read()
  expect(valueOf('jobs_created_total')).toBe(1)
  expect(valueOf('job_transitions_total{to="ON_QUEUE",source="submit"}')).toBe(1)
  expect(valueOf('job_transitions_total{to="SUCCESS",source="hook"}')).toBe(1)
  expect(valueOf('job_duration_seconds_sum{status="SUCCESS"}')).toBe(8)
  expect(valueOf('job_duration_seconds_count{status="SUCCESS"}')).toBe(1)
  expect(valueOf('quota_spent_units_total')).toBe(42)
  expect(valueOf('late_outcomes_total')).toBe(1)
  expect(valueOf('jobs_parked_total')).toBe(1)
})

test('the confirm lag begins with the hook if one arrived, and otherwise with the fetch that found the end', async () => {
  const { clock, hookRecorded, fetchEnded, jobMoved, read } = openMetrics()
  const start = clock.now()
  const hooked = makeSwapJob(0, { id: 'hooked', status: 'SUCCESS', finishedAt: start })
  const polled = makeSwapJob(0, { id: 'polled', status: 'FAILED', finishedAt: start })
  const lost = makeSwapJob(0, { id: 'lost', status: 'LOST', finishedAt: start })
  const succeeded = { ...OUTCOME, kind: 'succeeded' }
  hookRecorded('hooked', start)
  hookRecorded('lost', start)
  fetchEnded(hooked, 'HOOK', succeeded, { startedAt: start + 1_000, endedAt: start + 2_000 })
  fetchEnded(polled, 'RECONCILER', { ...succeeded, kind: 'unfinished' }, { startedAt: start, endedAt: start + 10 })
  // A failure counts once a second fetch has confirmed it.
  fetchEnded(polled, 'RECONCILER', { ...succeeded, kind: 'failed' }, { startedAt: start + 500, endedAt: start + 510 })
  fetchEnded(
    polled,
    'RECONCILER',
    { ...succeeded, kind: 'failed' },
    { startedAt: start + 1_500, endedAt: start + 1_510 },
  )
  clock.advance(2_000)
  jobMoved(hooked, report('HOOK', clock.now()))
  jobMoved(polled, report('RECONCILER', clock.now()))
  jobMoved(lost, report('RECONCILER', clock.now()))
  const valueOf = await read()
  expect(valueOf('confirm_lag_seconds_sum{source="hook"}')).toBe(2)
  expect(valueOf('confirm_lag_seconds_sum{source="reconciler"}')).toBe(1.5)
  expect(valueOf('confirm_lag_seconds_count{source="reconciler"}')).toBe(1)
  expect(valueOf('hooks_total{outcome="recorded"}')).toBe(2)
})

test('calls to the upstream are observed by outcome, and counted by the class of the status', async () => {
  const { submitEnded, fetchEnded, hookRefused, hookNotRecorded, hookNotBound, read } = openMetrics()
  const job = makeSwapJob(0)
  submitEnded(job, OUTCOME, { startedAt: 0, endedAt: 250 })
  submitEnded(job, { ...OUTCOME, kind: 'refused', httpStatus: 429, reason: 'busy' }, { startedAt: 0, endedAt: 10 })
  submitEnded(
    job,
    { ...OUTCOME, kind: 'notSent', httpStatus: null, reason: 'no connection' },
    { startedAt: 5, endedAt: 4 },
  )
  fetchEnded(
    job,
    'FETCH',
    { ...OUTCOME, kind: 'nothing', httpStatus: 502, reason: 'HTML' },
    { startedAt: 0, endedAt: 10 },
  )
  hookRefused()
  hookNotRecorded(new Error('disk full'))
  hookNotBound(job)
  const valueOf = await read()
  expect(valueOf('submit_duration_seconds_sum{outcome="accepted"}')).toBe(0.25)
  expect(valueOf('submit_duration_seconds_count{outcome="refused"}')).toBe(1)
  // The clocks of two processes may differ.
  expect(valueOf('submit_duration_seconds_sum{outcome="not_sent"}')).toBe(0)
  expect(valueOf('upstream_responses_total{call="submit",status_class="4xx"}')).toBe(1)
  expect(valueOf('upstream_responses_total{call="submit",status_class="none"}')).toBe(1)
  expect(valueOf('upstream_responses_total{call="fetch",status_class="5xx"}')).toBe(1)
  expect(valueOf('fetch_duration_seconds_count{outcome="nothing"}')).toBe(1)
  for (const outcome of ['refused', 'not_recorded', 'not_bound']) {
    expect(valueOf(`hooks_total{outcome="${outcome}"}`)).toBe(1)
  }
})

test('webhook attempts are observed by outcome, and the delivery also from the end of the swap', async () => {
  const { webhookAttempted, read } = openMetrics()
  webhookAttempted(WEBHOOK, ATTEMPT, 'RETRYING', { startedAt: 1_000, endedAt: 1_500 }, null)
  webhookAttempted(WEBHOOK, ATTEMPT, 'DELIVERED', { startedAt: 6_000, endedAt: 6_100 }, null)
  const valueOf = await read()
  expect(valueOf('webhook_attempt_duration_seconds_sum{outcome="retrying"}')).toBe(0.5)
  expect(valueOf('webhook_attempt_duration_seconds_sum{outcome="delivered"}')).toBe(0.1)
  expect(valueOf('webhook_delivery_lag_seconds_sum')).toBe(5.1)
  expect(valueOf('webhook_delivery_lag_seconds_count')).toBe(1)
})

test('uploads and copies are counted as stored, rejected or failed', async () => {
  const { uploadReceived, uploadFailed, resultCopied, mirrorFailed, backgroundFailed, read } = openMetrics()
  // Only its status is read.
  const image = (status: StoredImage['status']) => ({ status }) as StoredImage
  const job = makeSwapJob(0)
  uploadReceived(image('READY'))
  uploadReceived(image('REJECTED'))
  uploadFailed(new Error('disk full'))
  resultCopied(job, { startedAt: 0, endedAt: 1 })
  mirrorFailed(job, { code: 'NOT_READABLE', reason: '', isFinal: true }, { startedAt: 0, endedAt: 1 })
  mirrorFailed(job, { code: 'NOT_STORED', reason: '', isFinal: false }, { startedAt: 0, endedAt: 1 })
  backgroundFailed('copy results', new Error('no'))
  const valueOf = await read()
  for (const kind of ['upload', 'copy']) {
    for (const outcome of ['stored', 'rejected', 'failed']) {
      expect(valueOf(`images_total{kind="${kind}",outcome="${outcome}"}`)).toBe(1)
    }
  }
  expect(valueOf('background_failures_total{task="copy results"}')).toBe(1)
})

test('the metrics name the program, its database and its upstream', async () => {
  const labels = `version="1.2.3",node="${process.version}",database="sqlite",upstream="embedded"`
  expect((await openMetrics().read())(`build_info{${labels}}`)).toBe(1)
})
