/**
 * The position of one span in a trace, as text (W3C Trace Context): the value of the header `traceparent`, followed by a
 * space and the value of the header `tracestate` if there is one.
 */
export type TraceContext = string

/** The headers that carry a trace context. */
export interface TraceHeaders {
  readonly traceparent: string
  readonly tracestate?: string
}

export function toTraceHeaders(context: TraceContext): TraceHeaders {
  const end = context.indexOf(' ')
  return end === -1
    ? { traceparent: context }
    : { traceparent: context.slice(0, end), tracestate: context.slice(end + 1) }
}

export function toTraceContext({ traceparent, tracestate }: TraceHeaders): TraceContext {
  return tracestate === undefined ? traceparent : `${traceparent} ${tracestate}`
}

/** The id of a job's trace, for log lines: 32 hex digits. Undefined if the job has no trace. */
export function traceIdOf({ traceContext }: { readonly traceContext: TraceContext | null }): string | undefined {
  return traceContext?.slice(3, 35)
}
