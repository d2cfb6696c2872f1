/** Converts trace contexts between the gateway's text and OpenTelemetry's objects. */
import type { SpanContext } from '@opentelemetry/api'
import { parseTraceParent, TraceState } from '@opentelemetry/core'
import { toTraceContext, toTraceHeaders, type TraceContext } from '../../domain/trace-context.ts'
import type { TraceCarrier } from '../tracing.ts'

/** Null if the carrier holds no valid `traceparent`. */
export function readSpanContext({ traceparent, tracestate }: TraceCarrier): SpanContext | null {
  const parsed = typeof traceparent === 'string' ? parseTraceParent(traceparent) : null
  if (!parsed) return null
  return {
    ...parsed,
    isRemote: true,
    ...(typeof tracestate === 'string' && { traceState: new TraceState(tracestate) }),
  }
}

export function toSpanContext(context: TraceContext | null): SpanContext | null {
  return context === null ? null : readSpanContext({ ...toTraceHeaders(context) })
}

export function fromSpanContext({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceContext {
  const traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
  const tracestate = traceState?.serialize()
  return toTraceContext({ traceparent, ...(tracestate && { tracestate }) })
}
