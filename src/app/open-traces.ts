import type { Config } from '../config/config.ts'
import { type Clock, wallNow } from '../lib/time/clock.ts'
import type { Telemetry } from '../telemetry/events.ts'
import type { Traces } from '../telemetry/otel/open-traces.ts'

/** Loads OpenTelemetry and opens the traces; null if they are off. */
export async function openTracesIfOn(
  { tracesEndpoint: endpoint, trustedDocumentsPath }: Pick<Config, 'tracesEndpoint' | 'trustedDocumentsPath'>,
  telemetry: Pick<Telemetry, 'backgroundFailed'>,
  clock: Pick<Clock, 'now'>,
): Promise<Traces | null> {
  if (endpoint === null) return null
  // Loaded only if it is used.
  const { openTraces } = await import('../telemetry/otel/open-traces.ts')
  return openTraces({
    endpoint,
    areOperationsTrusted: trustedDocumentsPath !== null,
    now: () => clock.now(),
    wallNow,
    onFailure: (error) => telemetry.backgroundFailed('export traces', error),
  })
}
