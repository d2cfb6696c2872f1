import { expect, test } from 'vitest'
import { toTraceContext, toTraceHeaders, traceIdOf } from '../../src/domain/trace-context.ts'
import { fromSpanContext, readSpanContext, toSpanContext } from '../../src/telemetry/otel/span-context.ts'

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const TRACEPARENT = `00-${TRACE_ID}-00f067aa0ba902b7-01`

test('a stored trace context is read back unchanged, with and without a tracestate', () => {
  for (const headers of [{ traceparent: TRACEPARENT }, { traceparent: TRACEPARENT, tracestate: 'a=1,b=2 3' }]) {
    const context = toTraceContext(headers)
    expect(toTraceHeaders(context)).toEqual(headers)
    const spanContext = toSpanContext(context)
    expect(spanContext && fromSpanContext(spanContext)).toBe(context)
    expect(traceIdOf({ traceContext: context })).toBe(TRACE_ID)
  }
  expect(traceIdOf({ traceContext: null })).toBeUndefined()
})

test('an invalid traceparent is ignored, whatever a caller sends', () => {
  for (const traceparent of [
    undefined,
    null,
    7,
    '',
    {},
    [TRACEPARENT],
    `${TRACEPARENT}, ${TRACEPARENT}`,
    `ff-${TRACE_ID}-00f067aa0ba902b7-01`,
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${TRACE_ID}-${'0'.repeat(16)}-01`,
    'x'.repeat(100_000),
  ])
    expect(readSpanContext({ traceparent }), JSON.stringify(traceparent)?.slice(0, 60)).toBeNull()
})

test('an invalid or oversized tracestate is dropped, and the trace is still continued', () => {
  for (const tracestate of [null, 7, ['a=1'], '=', `a=${'x'.repeat(600)}`, 'no list'.repeat(10_000)]) {
    const context = readSpanContext({ traceparent: TRACEPARENT, tracestate })
    expect(context && fromSpanContext(context), JSON.stringify(tracestate).slice(0, 60)).toBe(TRACEPARENT)
  }
})
