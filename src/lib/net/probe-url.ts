import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { readErrorCode } from '../error-code.ts'
import { readCapped } from '../http/read-capped.ts'

const MAX_BODY_BYTES = 1_024

/** The response to a probe, or the code of the error if there was none. `body` is null if it is longer than 1 KiB. */
export type ProbeOutcome =
  | { readonly status: number; readonly body: string | null }
  | { readonly status: null; readonly errorCode: string }

/**
 * Sends one GET. Follows no redirect and keeps no connection. Not guarded: for addresses that the operator configured
 * only.
 */
export async function probeUrl(url: string, signal: AbortSignal): Promise<ProbeOutcome> {
  const request = url.startsWith('https:') ? requestHttps : requestHttp
  return new Promise((resolve) => {
    const fail = (error: Error) => resolve({ status: null, errorCode: readErrorCode(error) || error.name })
    const probe = request(url, { agent: false, signal }, (response) => {
      readCapped(response, MAX_BODY_BYTES)
        .then((bytes) => resolve({ status: response.statusCode ?? 0, body: bytes?.toString() ?? null }))
        .catch(fail)
        .finally(() => response.destroy())
    })
    probe.on('error', fail)
    probe.end()
  })
}
