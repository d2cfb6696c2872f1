/**
 * Exports traces with the OpenTelemetry SDK: OTLP over HTTP, as JSON. The SDK reads its standard variables from the
 * environment (OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES, OTEL_EXPORTER_OTLP_HEADERS, OTEL_BSP_…). Nothing is
 * registered globally. Spans wait in a bounded queue, and are dropped if the collector does not accept them.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { diag, DiagLogLevel } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type IdGenerator,
  RandomIdGenerator,
} from '@opentelemetry/sdk-trace-base'
import type { TraceContext } from '../../domain/trace-context.ts'
import type { Telemetry } from '../events.ts'
import type { TraceContexts, Tracing } from '../tracing.ts'
import { createJobSpans } from './job-spans.ts'
import { QuietExporter } from './quiet-exporter.ts'
import { createRequestSpans } from './request-spans.ts'
import { fromSpanContext, toSpanContext } from './span-context.ts'

/** How long one export may take, with its retries. */
const EXPORT_TIMEOUT_MS = 3_000
/** Maximum duration of the shutdown: the SDK then stops waiting for its export, which still continues. */
const GIVE_UP_MS = 5_000
const ignore = () => {}

export interface TracesOptions {
  /** Base URL of the collector. */
  readonly endpoint: string
  /** Whether only trusted documents run. */
  readonly areOperationsTrusted: boolean
  /** `Clock.now` of the events. */
  readonly now: () => number
  readonly wallNow: () => number
  /** Called with the first of a series of failed exports, and with each problem of the SDK's own variables. */
  readonly onFailure: (error: unknown) => void
}

export interface Traces {
  readonly tracing: Tracing
  readonly contexts: TraceContexts
  /** Makes the spans of jobs. */
  readonly telemetry: Telemetry
  /** Exports the remaining spans, within a few seconds. Never rejects. */
  close(): Promise<void>
}

export function openTraces(options: TracesOptions): Traces {
  const { areOperationsTrusted, now, wallNow } = options
  const ids = new PresettableIds()
  const provider = createProvider(options, ids)
  const tracer = provider.getTracer('swapface-gateway')
  const storage = new AsyncLocalStorage<TraceContext>()
  const current = () => storage.getStore() ?? null
  return {
    tracing: createRequestSpans({ tracer, storage, areOperationsTrusted }),
    contexts: {
      current,
      childOf: (parent) => {
        const context = toSpanContext(parent)
        return context && fromSpanContext({ ...context, spanId: ids.generateSpanId() })
      },
    },
    telemetry: createJobSpans({
      tracer,
      presetSpanId: (spanId) => ids.preset(spanId),
      current,
      clockOffset: () => wallNow() - now(),
    }),
    close: () => provider.shutdown().catch(options.onFailure),
  }
}

function createProvider({ endpoint, onFailure }: TracesOptions, idGenerator: IdGenerator): BasicTracerProvider {
  // The SDK reports unusable variables to its global logger, and uses their defaults.
  const report = (message: string) => onFailure(new Error(message))
  const logger = { error: report, warn: report, info: ignore, debug: ignore, verbose: ignore }
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
  try {
    const url = `${endpoint}/v1/traces`
    const exporter = new QuietExporter(new OTLPTraceExporter({ url, timeoutMillis: EXPORT_TIMEOUT_MS }), onFailure)
    const own = { 'service.name': 'swapface-gateway', 'service.instance.id': randomUUID() }
    const resource = defaultResource()
      .merge(resourceFromAttributes(own))
      .merge(detectResources({ detectors: [envDetector] }))
    return new BasicTracerProvider({
      resource,
      idGenerator,
      spanProcessors: [new BatchSpanProcessor(exporter, { exportTimeoutMillis: GIVE_UP_MS })],
    })
  } finally {
    diag.disable()
  }
}

/** Random ids. The id of a span can be set in advance, because a request sends it before its span is made. */
class PresettableIds implements IdGenerator {
  readonly #random = new RandomIdGenerator()
  #preset: string | null = null

  preset(spanId: string): void {
    this.#preset = spanId
  }

  generateTraceId(): string {
    return this.#random.generateTraceId()
  }

  generateSpanId(): string {
    const spanId = this.#preset ?? this.#random.generateSpanId()
    this.#preset = null
    return spanId
  }
}
