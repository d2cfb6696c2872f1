import { setMaxListeners } from 'node:events'
import type { Config } from '../config/config.ts'
import type { Secrets } from '../config/secrets.ts'
import { type Background, createBackground } from '../lib/async/background.ts'
import type { Clock } from '../lib/time/clock.ts'
import type { Telemetry } from '../telemetry/events.ts'
import type { Traces } from '../telemetry/otel/open-traces.ts'
import { NO_TRACE_CONTEXTS, type TraceContexts, type Tracing } from '../telemetry/tracing.ts'

/** Shared by all stages of the app: settings, clock, background work and the stop signal. */
export interface Runtime {
  readonly config: Config
  readonly secrets: Secrets
  readonly telemetry: Telemetry
  readonly traceContexts: TraceContexts
  /** Null if traces are off. */
  readonly tracing: Tracing | null
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly background: Background
  /** Aborts when the gateway stops. */
  readonly stopping: AbortSignal
  /** Aborts `stopping`. */
  stop(): void
}

export function createRuntime(
  parts: Pick<Runtime, 'config' | 'secrets' | 'telemetry' | 'clock'>,
  traces: Traces | null,
): Runtime {
  const controller = new AbortController()
  // Each pending wait adds a listener.
  setMaxListeners(0, controller.signal)
  return {
    ...parts,
    traceContexts: traces?.contexts ?? NO_TRACE_CONTEXTS,
    tracing: traces?.tracing ?? null,
    random: Math.random,
    background: createBackground(parts.telemetry.backgroundFailed),
    stopping: controller.signal,
    stop: () => controller.abort(),
  }
}
