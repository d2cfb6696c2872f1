import type { AsyncLocalStorage } from 'node:async_hooks'
import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type SpanOptions,
  trace,
  type Tracer,
} from '@opentelemetry/api'
import type { TraceContext } from '../../domain/trace-context.ts'
import type { HttpSpan, OperationSpan, RequestSpan, TraceCarrier, Tracing } from '../tracing.ts'
import { fromSpanContext, readSpanContext } from './span-context.ts'

/** The type of an error that is not among the gateway's own. */
const UNEXPECTED = '_OTHER'

export interface RequestSpansParts {
  readonly tracer: Tracer
  /** Holds the context of the request in progress: a text, because a subscription retains it for hours. */
  readonly storage: AsyncLocalStorage<TraceContext>
  /** Whether operation names are few, because only trusted documents run; span names then contain them. */
  readonly areOperationsTrusted: boolean
}

/** Creates the server spans of requests. */
export function createRequestSpans(parts: RequestSpansParts): Tracing {
  const { tracer, storage, areOperationsTrusted } = parts
  const start = (name: string, carrier: TraceCarrier | null, attributes: SpanOptions['attributes'] = {}) =>
    tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, toParent(carrier))
  return {
    startOperation: (transport, carrier) =>
      new Operation(
        start('GraphQL Operation', carrier, { 'swapface.transport': transport }),
        storage,
        areOperationsTrusted,
      ),
    startRequest: (method, route, carrier) => {
      const attributes = { 'http.request.method': method, 'http.route': route }
      return new HttpRequest(start(`${method} ${route}`, carrier, attributes), storage)
    },
  }
}

function toParent(carrier: TraceCarrier | null): Context {
  const parent = carrier && readSpanContext(carrier)
  return parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT
}

class Request implements RequestSpan {
  protected readonly span: Span
  readonly #storage: AsyncLocalStorage<TraceContext>

  constructor(span: Span, storage: AsyncLocalStorage<TraceContext>) {
    this.span = span
    this.#storage = storage
  }

  async run<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await this.#storage.run(fromSpanContext(this.span.spanContext()), act)
    } catch (error) {
      this.failed(UNEXPECTED)
      throw error
    } finally {
      this.span.end()
    }
  }

  failed(type: string): void {
    this.span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR })
  }
}

class Operation extends Request implements OperationSpan {
  readonly #isTrusted: boolean

  constructor(span: Span, storage: AsyncLocalStorage<TraceContext>, isTrusted: boolean) {
    super(span, storage)
    this.#isTrusted = isTrusted
  }

  identified({ type, name }: Parameters<OperationSpan['identified']>[0]): void {
    this.span.updateName(name !== null && this.#isTrusted ? `${type} ${name}` : type)
    this.span.setAttribute('graphql.operation.type', type)
    if (name !== null) this.span.setAttribute('graphql.operation.name', name)
  }
}

class HttpRequest extends Request implements HttpSpan {
  answered(httpStatus: number): void {
    this.span.setAttribute('http.response.status_code', httpStatus)
    if (httpStatus >= 500) this.failed(String(httpStatus))
  }
}
