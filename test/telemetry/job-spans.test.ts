/** The spans that events of a job create, and their attributes. */
import { SpanStatusCode } from '@opentelemetry/api'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { expect, test } from 'vitest'
import type { SwapJob } from '../../src/domain/swap-job.ts'
import type { TraceContext } from '../../src/domain/trace-context.ts'
import { createJobSpans } from '../../src/telemetry/otel/job-spans.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { makeSwapJob } from '../support/jobs.ts'

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const CONTEXT = `00-${TRACE_ID}-00f067aa0ba902b7-01`
const HOOK_CONTEXT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const INTERVAL = { startedAt: 1_800_000_001_000, endedAt: 1_800_000_001_250 }
const WITHOUT_UPSTREAM_FACTS = { upstreamId: null, upstreamMessage: null }
const UNFINISHED = { ...WITHOUT_UPSTREAM_FACTS, kind: 'unfinished', httpStatus: 200, reason: null }
const SUCCEEDED = { ...UNFINISHED, kind: 'succeeded' }
const ACCEPTED = { ...UNFINISHED, kind: 'accepted' }

function openSpans() {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  closeAfterTest(() => provider.shutdown())
  const request: { current: TraceContext | null } = { current: null }
  const telemetry = createJobSpans({
    tracer: provider.getTracer('test'),
    presetSpanId: () => {},
    current: () => request.current,
    clockOffset: () => 5_000,
  })
  return { telemetry, request, spans: () => exporter.getFinishedSpans() }
}

const makeJob = (over: Partial<SwapJob> = {}) => makeSwapJob(0, { traceContext: CONTEXT, ...over })

test('polls of an unfinished job create no spans', () => {
  const { telemetry, spans } = openSpans()
  telemetry.fetchEnded(makeJob(), 'RECONCILER', UNFINISHED, INTERVAL)
  telemetry.fetchEnded(makeJob(), 'FETCH', UNFINISHED, INTERVAL)
  expect(spans()).toEqual([])
  telemetry.fetchEnded(makeJob(), 'RECONCILER', SUCCEEDED, INTERVAL)
  expect(spans().map(({ name }) => name)).toEqual(['confirm'])
})

test('a span has the times of its event, by the wall clock', () => {
  const { telemetry, spans } = openSpans()
  telemetry.resultCopied(makeJob(), INTERVAL)
  const [span] = spans()
  expect([span?.startTime, span?.endTime]).toEqual([
    [1_800_000_006, 0],
    [1_800_000_006, 250_000_000],
  ])
})

test('a job that was created without a trace gets no spans', () => {
  const { telemetry, spans } = openSpans()
  telemetry.submitEnded(makeJob({ traceContext: null }), ACCEPTED, INTERVAL)
  expect(spans()).toEqual([])
})

test('a failed call, copy or delivery is a failed span whose error type is a status or a fixed word', () => {
  const { telemetry, spans } = openSpans()
  const job = makeJob()
  telemetry.submitEnded(
    job,
    { ...WITHOUT_UPSTREAM_FACTS, kind: 'refused', httpStatus: 429, reason: 'the upstream is busy' },
    INTERVAL,
  )
  telemetry.submitEnded(
    job,
    { ...WITHOUT_UPSTREAM_FACTS, kind: 'notSent', httpStatus: null, reason: 'the upstream is down' },
    INTERVAL,
  )
  telemetry.submitEnded(
    job,
    { ...WITHOUT_UPSTREAM_FACTS, kind: 'unknown', httpStatus: 200, reason: 'the answer is not JSON' },
    INTERVAL,
  )
  telemetry.fetchEnded(
    job,
    'RECONCILER',
    { ...WITHOUT_UPSTREAM_FACTS, kind: 'nothing', httpStatus: 503, reason: 'HTTP 503' },
    INTERVAL,
  )
  telemetry.mirrorFailed(job, { code: 'LINKS_EXPIRED', reason: 'The links have expired.', isFinal: true }, INTERVAL)
  const webhook = {
    id: 'evt_1',
    jobId: job.id,
    tenant: 'a',
    url: 'https://example.com/',
    body: '{}',
    state: 'WAITING',
    tries: 1,
    createdAt: 0,
    traceContext: CONTEXT,
  } as const
  telemetry.webhookAttempted(webhook, { at: 0, httpStatus: 500, error: null }, 'RETRYING', INTERVAL, null)
  telemetry.webhookAttempted(webhook, { at: 0, httpStatus: null, error: 'no answer' }, 'EXHAUSTED', INTERVAL, null)
  const expected = [
    ['submit', '429'],
    ['submit', 'notSent'],
    ['submit', 'unknown'],
    ['confirm', '503'],
    ['copy result', 'LINKS_EXPIRED'],
    ['deliver webhook', '500'],
    ['deliver webhook', 'no_answer'],
  ]
  expect(spans().map(({ name, attributes }) => [name, attributes['error.type']])).toEqual(expected)
  for (const { status, parentSpanContext } of spans()) {
    expect(status.code).toBe(SpanStatusCode.ERROR)
    expect(parentSpanContext?.traceId).toBe(TRACE_ID)
  }
})

test('each confirm for a hook is linked to the job’s latest hook, until the job is done', () => {
  const { telemetry, request, spans } = openSpans()
  const job = makeJob()
  request.current = HOOK_CONTEXT
  telemetry.hookRecorded(job.id, 0)
  request.current = null
  telemetry.fetchEnded(job, 'HOOK', UNFINISHED, INTERVAL)
  telemetry.fetchEnded(job, 'RECONCILER', SUCCEEDED, INTERVAL)
  telemetry.jobMoved(
    { ...job, status: 'SUCCESS', finishedAt: 2_000 },
    {
      source: 'HOOK',
      at: 2_000,
      finding: { kind: 'unanswered' },
    },
  )
  telemetry.fetchEnded(job, 'HOOK', SUCCEEDED, INTERVAL)
  expect(spans().map(({ links }) => links.map(({ context }) => context.spanId))).toEqual([['b7ad6b7169203331'], [], []])
})

test('hooks of jobs that another process ends are forgotten, the oldest first', () => {
  const { telemetry, request, spans } = openSpans()
  request.current = HOOK_CONTEXT
  for (let n = 0; n <= 10_000; n += 1) telemetry.hookRecorded(`job_${n}`, 0)
  telemetry.fetchEnded(makeJob({ id: 'job_0' }), 'HOOK', UNFINISHED, INTERVAL)
  telemetry.fetchEnded(makeJob({ id: 'job_10000' }), 'HOOK', UNFINISHED, INTERVAL)
  expect(spans().map(({ links }) => links.length)).toEqual([0, 1])
})
