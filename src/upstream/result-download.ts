/**
 * Downloads results. A link must name a host where the upstream is known to keep results; that host may redirect to any
 * public address. The address guard checks each hop.
 */
import { Agent, buildConnector } from 'undici'
import { createAddressGuard, createGuardedConnector } from '../lib/net/address-guard.ts'
import { createDownload, DownloadError } from '../lib/net/download.ts'
import { MAX_IMAGE_BYTES } from '../lib/image/image-limits.ts'
import { type ResultSource, ResultUnavailableError } from './result-source.ts'

/** Seen in responses (contract, "Links, images, quota"); subdomains are included. */
const RESULT_HOSTS = ['cdn.discordapp.com', 'ttapi.io', 'ttapi.org', 'cdn.midjourney.com']
const TIMEOUT_MS = 30_000

export interface ResultDownloadOptions {
  /** Exact `host` or `host:port` entries that are allowed too, even if their address is private. */
  readonly allowedHosts: readonly string[]
}

export function openResultSource({ allowedHosts }: ResultDownloadOptions): ResultSource & { close(): Promise<void> } {
  const guard = createAddressGuard({ allowedHosts })
  const agent = new Agent({
    connect: createGuardedConnector(guard, (lookup) => buildConnector({ lookup, timeout: 5_000 })),
    connections: 8,
  })
  const mayHold = ({ hostname, host }: URL) =>
    RESULT_HOSTS.some((known) => hostname === known || hostname.endsWith(`.${known}`)) ||
    allowedHosts.includes(host) ||
    allowedHosts.includes(hostname)

  const download = createDownload({ guard, dispatcher: agent, maxBytes: MAX_IMAGE_BYTES, timeoutMs: TIMEOUT_MS })

  return {
    download: async (link, onLength) => {
      if (!mayHold(new URL(link))) {
        throw new ResultUnavailableError(
          'HOST_NOT_KNOWN',
          'is at a host where the upstream is not known to keep results',
          false,
        )
      }
      try {
        return await download(link, undefined, onLength)
      } catch (error) {
        if (!(error instanceof DownloadError)) throw error
        throw new ResultUnavailableError(error.code, error.message, error.isTransient)
      }
    },
    close: () => agent.close(),
  }
}
