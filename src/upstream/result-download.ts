/**
 * Downloads results: from the hosts that the upstream is known to keep them at, and nowhere else, whatever an answer of
 * its says. Addresses are guarded as callers' are; a redirect is not part of the contract, and not followed.
 */
import { Agent, buildConnector, request } from 'undici'
import { createAddressGuard, createGuardedConnector } from '../lib/address-guard.ts'
import { readCapped } from '../lib/read-capped.ts'
import { type ResultSource, ResultUnavailable } from './result-source.ts'

/** Seen in answers (contract, "Links, images, quota"); a name stands for those below it as well. */
const RESULT_HOSTS = ['cdn.discordapp.com', 'ttapi.io', 'ttapi.org', 'cdn.midjourney.com']
const MAX_BYTES = 20 * 1024 * 1024
const TIMEOUT_MS = 30_000

export interface ResultDownloadOptions {
  /** Exact `host` or `host:port` that may be reached as well, although its address is private. */
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

  return {
    download: async (link) => {
      const url = new URL(link)
      if (!mayHold(url)) throw new ResultUnavailable('its host is none that results are kept at', false)
      try {
        guard.checkUrl(url)
        const { statusCode, body } = await request(url, {
          dispatcher: agent,
          signal: AbortSignal.timeout(TIMEOUT_MS),
          headers: { accept: 'image/*', 'accept-encoding': 'identity' },
        })
        body.on('error', () => undefined)
        try {
          if (statusCode !== 200) {
            const isTransient = statusCode === 408 || statusCode === 429 || statusCode >= 500
            throw new ResultUnavailable(`its host answers with ${statusCode}`, isTransient)
          }
          const bytes = await readCapped(body, MAX_BYTES)
          if (bytes === null) throw new ResultUnavailable(`it has more than ${MAX_BYTES / 1024 / 1024} MB`, false)
          return bytes
        } finally {
          body.destroy()
        }
      } catch (error) {
        if (error instanceof ResultUnavailable) throw error
        throw new ResultUnavailable('its host cannot be reached', true)
      }
    },
    close: () => agent.close(),
  }
}
