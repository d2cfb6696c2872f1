/**
 * Makes the spans of a job's trace from telemetry events: submits, the fetches that find its end, the copy of its
 * result, and webhook deliveries. All are children of the request that created the job, whichever process makes them. A
 * job that was created without a trace gets no spans.
 */
import {
  type Attributes,
  type Link,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api'
import type { SwapJob } from '../../domain/swap-job.ts'
import type { TraceContext } from '../../domain/trace-context.ts'
import { silentTelemetry } from '../combine.ts'
import type { Interval, Telemetry, UpstreamCallOutcome } from '../events.ts'
import { toSpanContext } from './span-context.ts'

/** Hooks whose jobs are not confirmed yet; the oldest are dropped. */
const MAX_HOOKS = 10_000

export interface JobSpansParts {
  readonly tracer: Tracer
  /** Makes the next span have this id. */
  readonly presetSpanId: (spanId: string) => void
  /** The context of the request in progress. */
  readonly current: () => TraceContext | null
  /** Added to the times of events: the wall clock's time minus that of the events' clock. */
  readonly clockOffset: () => number
}

interface JobSpan {
  readonly name: string
  readonly parent: TraceContext | null
  readonly interval: Interval
  readonly attributes: Attributes
  /** A value of `error.type`; null if the work succeeded. */
  readonly error: string | null
  readonly links?: Link[]
  /** The context that was sent with the request: the span gets its id. */
  readonly sent?: TraceContext | null
}

/** Receives events and ends one span for each piece of work. */
export function createJobSpans(parts: JobSpansParts): Telemetry {
  const { tracer, presetSpanId, current, clockOffset } = parts
  const hooks = new LatestHooks()

  const record = ({ name, parent, interval, attributes, error, links = [], sent = null }: JobSpan) => {
    const parentContext = toSpanContext(parent)
    if (!parentContext) return
    const ownContext = toSpanContext(sent)
    if (ownContext) presetSpanId(ownContext.spanId)
    const offset = clockOffset()
    const options = { kind: SpanKind.CLIENT, startTime: interval.startedAt + offset, attributes, links }
    const span = tracer.startSpan(name, options, trace.setSpanContext(ROOT_CONTEXT, parentContext))
    if (error !== null) span.setAttribute('error.type', error).setStatus({ code: SpanStatusCode.ERROR })
    span.end(interval.endedAt + offset)
  }

  return {
    ...silentTelemetry,
    submitEnded: (job, outcome, interval) => {
      const attributes = { ...toCallAttributes(job, outcome), 'swapface.attempt': job.fencing }
      const error = outcome.kind === 'accepted' ? null : toErrorType(outcome)
      record({ name: 'submit', parent: job.traceContext, interval, attributes, error })
    },
    fetchEnded: (job, source, outcome, interval) => {
      // Most polls find an unfinished job; their spans would hide the important ones.
      if (outcome.kind === 'unfinished' && source !== 'HOOK') return
      const attributes = { ...toCallAttributes(job, outcome), 'swapface.source': source }
      const hook = source === 'HOOK' ? hooks.get(job.id) : undefined
      const links = hook ? [{ context: hook }] : []
      const error = outcome.kind === 'nothing' ? toErrorType(outcome) : null
      record({ name: 'confirm', parent: job.traceContext, interval, attributes, error, links })
    },
    hookRecorded: (jobId) => {
      const hook = toSpanContext(current())
      if (hook) hooks.set(jobId, hook)
    },
    jobMoved: ({ id, finishedAt }) => {
      if (finishedAt !== null) hooks.delete(id)
    },
    resultCopied: (job, interval) => {
      record({ name: 'copy result', parent: job.traceContext, interval, attributes: toJobAttributes(job), error: null })
    },
    mirrorFailed: (job, { code }, interval) => {
      record({ name: 'copy result', parent: job.traceContext, interval, attributes: toJobAttributes(job), error: code })
    },
    webhookAttempted: ({ id, jobId, tries, traceContext }, { httpStatus }, state, interval, sent) => {
      const attributes = {
        'swapface.job.id': jobId,
        'swapface.webhook.id': id,
        'swapface.webhook.state': state,
        'swapface.attempt': tries + 1,
        ...(httpStatus !== null && { 'http.response.status_code': httpStatus }),
      }
      const error = state === 'DELIVERED' ? null : String(httpStatus ?? 'no_answer')
      record({ name: 'deliver webhook', parent: traceContext, interval, attributes, error, sent })
    },
  }
}

/** The span of the latest hook of each job. */
class LatestHooks {
  readonly #spans = new Map<string, SpanContext>()

  get(jobId: string): SpanContext | undefined {
    return this.#spans.get(jobId)
  }

  set(jobId: string, hook: SpanContext): void {
    this.#spans.delete(jobId)
    this.#spans.set(jobId, hook)
    if (this.#spans.size <= MAX_HOOKS) return
    for (const oldest of this.#spans.keys()) {
      this.#spans.delete(oldest)
      break
    }
  }

  delete(jobId: string): void {
    this.#spans.delete(jobId)
  }
}

function toJobAttributes({ id, status }: SwapJob): Attributes {
  return { 'swapface.job.id': id, 'swapface.job.status': status }
}

function toCallAttributes(job: SwapJob, { kind, httpStatus }: UpstreamCallOutcome): Attributes {
  return {
    ...toJobAttributes(job),
    'swapface.outcome': kind,
    ...(httpStatus !== null && { 'http.response.status_code': httpStatus }),
  }
}

function toErrorType({ kind, httpStatus }: UpstreamCallOutcome): string {
  return httpStatus === null || httpStatus < 400 ? kind : String(httpStatus)
}
