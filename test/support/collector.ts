/** A collector of traces: a real HTTP server that takes OTLP as JSON. */
import { closeAfterTest } from './close-after-test.ts'
import { openScriptedHost } from './scripted-host.ts'

export interface CollectedSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  /** Empty for the first span of a trace. */
  readonly parentSpanId: string
  /** As in OTLP: 2 is a server span, 3 a client span. */
  readonly kind: number
  readonly isError: boolean
  readonly attributes: Readonly<Record<string, unknown>>
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  /** Epoch milliseconds. */
  readonly startedAt: number
  readonly endedAt: number
  /** The attributes of the process that exported it. */
  readonly resource: Readonly<Record<string, unknown>>
}

export interface Collector {
  readonly url: string
  /** All spans that have arrived, in their order. */
  spans(): readonly CollectedSpan[]
  /** The spans of one name. */
  named(name: string): readonly CollectedSpan[]
  /** Everything that was exported, with the requests' headers. */
  text(): string
  /** Number of exports. */
  readonly exports: number
}

interface OtlpAttribute {
  readonly key: string
  readonly value: object
}

interface OtlpSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly OtlpAttribute[]
  readonly links?: CollectedSpan['links']
  readonly status: { readonly code?: number }
}

interface OtlpExport {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly OtlpAttribute[] }
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[]
  }[]
}

const STATUS_ERROR = 2

/** Closed after the test. */
export async function openCollector(): Promise<Collector> {
  const host = await openScriptedHost(({ path }, response) => {
    response.writeHead(path === '/v1/traces' ? 200 : 404, { 'content-type': 'application/json' }).end('{}')
  })
  closeAfterTest(() => host.close())
  const spans = () => host.requests.flatMap(({ body }) => toSpans(JSON.parse(body) as OtlpExport))
  return {
    url: host.url,
    spans,
    named: (name) => spans().filter((span) => span.name === name),
    text: () => JSON.stringify(host.requests),
    get exports() {
      return host.requests.length
    },
  }
}

function toSpans({ resourceSpans }: OtlpExport): CollectedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap((scope) =>
      scope.spans.map((span) => ({
        name: span.name,
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? '',
        kind: span.kind,
        isError: span.status.code === STATUS_ERROR,
        attributes: toRecord(span.attributes),
        links: (span.links ?? []).map(({ traceId, spanId }) => ({ traceId, spanId })),
        startedAt: Number(span.startTimeUnixNano) / 1e6,
        endedAt: Number(span.endTimeUnixNano) / 1e6,
        resource: toRecord(resource.attributes),
      })),
    ),
  )
}

function toRecord(attributes: readonly OtlpAttribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
}
