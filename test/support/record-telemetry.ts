import { silentTelemetry, TELEMETRY_EVENTS } from '../../src/telemetry/combine.ts'
import type { Telemetry } from '../../src/telemetry/events.ts'

/** One telemetry call: what the program would have logged. */
export interface TelemetryEvent {
  readonly name: string
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
  const telemetry: Telemetry = {
    ...silentTelemetry,
    databaseQueried: () => {
      queries += 1
    },
  }
  for (const name of TELEMETRY_EVENTS.filter((event) => event !== 'databaseQueried')) {
    Reflect.set(telemetry, name, (...args: unknown[]) => events.push({ name, args }))
  }
  return { telemetry, events, queries: () => queries }
}
