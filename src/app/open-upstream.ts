import type { EmbeddedUpstream, SwapFaceEvent } from 'swapface-gateway-engine'
import { UpstreamKey } from '../jobs/lifecycle/upstream-key.ts'
import { openRestUpstream } from '../upstream/rest.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { openEmbedded } from './open-embedded.ts'
import type { Runtime } from './runtime.ts'

const SUBMIT_TIMEOUT_MS = 30_000
const FETCH_TIMEOUT_MS = 10_000

/** The service that does the swaps: the configured one, or the embedded one, which is started here. */
export interface UpstreamStage {
  readonly upstream: Upstream
  readonly url: string
  /** Null if another upstream is configured. */
  readonly embedded: EmbeddedUpstream | null
  /** Whether the upstream accepts the key; null while not known. */
  readonly keyAccepted: () => boolean | null
  close(): Promise<void>
}

/**
 * @param publicUrl where the embedded upstream sends its hooks.
 * @param log called with the events of the embedded upstream.
 */
export async function openUpstreamStage(
  { config, secrets, telemetry }: Runtime,
  publicUrl: string,
  log: (event: SwapFaceEvent) => void,
): Promise<UpstreamStage> {
  const embedded = config.upstreamUrl === null ? await openEmbedded(config, secrets, publicUrl, log) : null
  const url = embedded?.url ?? config.upstreamUrl ?? ''
  const rest = openRestUpstream({
    url,
    key: secrets.upstreamKey,
    submitTimeoutMs: SUBMIT_TIMEOUT_MS,
    fetchTimeoutMs: FETCH_TIMEOUT_MS,
  })
  const key = new UpstreamKey(telemetry)
  return {
    upstream: embedded ? rest : key.watch(rest),
    url,
    embedded,
    keyAccepted: () => (embedded ? true : key.isAccepted),
    close: async () => {
      await rest.close()
      await embedded?.close()
    },
  }
}
