import type { TraceContext } from '../domain/trace-context.ts'

/** Headers, or members of a message, that may hold `traceparent` and `tracestate`. */
export type TraceCarrier = Readonly<Record<string, unknown>>

/** The server span of a request in progress. */
export interface RequestSpan {
  /** Runs `act` within the span, which ends when the promise settles. Jobs that `act` creates join the trace. */
  run<T>(act: () => Promise<T>): Promise<T>
  /** Marks the span as failed. @param type one of a closed set: an error code, or an HTTP status. */
  failed(type: string): void
}

/** The span of a GraphQL operation. */
export interface OperationSpan extends RequestSpan {
  /** @param name as in the document; null for an anonymous operation. */
  identified(operation: { readonly type: string; readonly name: string | null }): void
}

/** The span of any other HTTP request. */
export interface HttpSpan extends RequestSpan {
  answered(httpStatus: number): void
}

/** The interface of the traces for code that serves requests. If traces are off, there is no such object. */
export interface Tracing {
  /** @param carrier of the caller's trace context, if the caller sent one. */
  startOperation(transport: 'http' | 'sse' | 'websocket', carrier: TraceCarrier): OperationSpan
  /** @param carrier null if the caller's trace must not be continued. */
  startRequest(method: string, route: string, carrier: TraceCarrier | null): HttpSpan
}

/** Trace contexts for the code that creates jobs and sends webhooks. */
export interface TraceContexts {
  /** The context of the request in progress. */
  current(): TraceContext | null
  /** A new context below `parent`, for one outgoing request. */
  childOf(parent: TraceContext | null): TraceContext | null
}

/** For a gateway whose traces are off. */
export const NO_TRACE_CONTEXTS: TraceContexts = { current: () => null, childOf: () => null }
