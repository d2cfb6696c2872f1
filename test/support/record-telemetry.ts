import type { Telemetry } from '../../src/telemetry/events.ts'

/** One telemetry call: what the program would have logged. */
export interface TelemetryEvent {
  readonly name: keyof Telemetry
  readonly args: readonly unknown[]
}

/** Creates a telemetry that records its calls in order. Database queries are counted, not listed. */
export function recordTelemetry(): {
  readonly telemetry: Telemetry
  readonly events: readonly TelemetryEvent[]
  queries(): number
} {
  const events: TelemetryEvent[] = []
  let queries = 0
  const record =
    (name: keyof Telemetry) =>
    (...args: unknown[]) => {
      events.push({ name, args })
    }
  const telemetry: Telemetry = {
    jobMoved: record('jobMoved'),
    evidenceTooLate: record('evidenceTooLate'),
    upstreamIdTaken: record('upstreamIdTaken'),
    submitEnded: record('submitEnded'),
    fetchUnanswered: record('fetchUnanswered'),
    hookNotBound: record('hookNotBound'),
    hookRefused: record('hookRefused'),
    originRefused: record('originRefused'),
    hookNotRecorded: record('hookNotRecorded'),
    jobNotRecorded: record('jobNotRecorded'),
    jobParked: record('jobParked'),
    webhookExhausted: record('webhookExhausted'),
    mirrorFailed: record('mirrorFailed'),
    backgroundFailed: record('backgroundFailed'),
    fastPathFellBack: record('fastPathFellBack'),
    shutdownStepBegan: record('shutdownStepBegan'),
    databaseQueried: () => {
      queries += 1
    },
  }
  return { telemetry, events, queries: () => queries }
}
