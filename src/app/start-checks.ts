/**
 * Checks the upstream key, and whether PUBLIC_URL leads here: once, in the background after the start. Otherwise the
 * first failed swap would show it. The results are log lines and part of `swapService`.
 */
import { isLoopback } from '../config/config.ts'
import type { RateLimiter } from '../lib/time/rate-limiter.ts'
import { type ProbeOutcome, probeUrl } from '../lib/net/probe-url.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { Runtime } from './runtime.ts'

/** No job has this id, so the fetch costs nothing and shows only whether the key is accepted. */
const UNKNOWN_ID = 'SWAP-FACE-0'
const PROBE_TIMEOUT_MS = 5_000

export interface StartChecksParts {
  readonly runtime: Pick<Runtime, 'background' | 'stopping' | 'telemetry'>
  /** Its responses show whether the key is accepted (`UpstreamKey`). */
  readonly upstream: Pick<Upstream, 'fetch'>
  readonly isEmbedded: boolean
  readonly fetchLimiter: Pick<RateLimiter, 'take'>
  readonly publicUrl: string
  /** The address that the gateway listens on. */
  readonly url: string
}

export class StartChecks {
  readonly #parts: StartChecksParts
  #isReachable: boolean | null = null

  constructor(parts: StartChecksParts) {
    this.#parts = parts
  }

  /** Whether PUBLIC_URL led to this gateway; null if that is not known. */
  get isPublicUrlReachable(): boolean | null {
    return this.#isReachable
  }

  /** Starts the checks. They end by themselves, or when the gateway stops. */
  run(): void {
    const { runtime, isEmbedded, publicUrl, url } = this.#parts
    if (!isEmbedded) runtime.background.run('test the upstream key', async () => this.#testKey())
    // A loopback address is reachable for its only users, the programs on this machine.
    const isRemote = publicUrl !== url && !isLoopback(new URL(publicUrl).hostname)
    if (isRemote) runtime.background.run('probe PUBLIC_URL', async () => this.#probePublicUrl())
  }

  async #testKey(): Promise<void> {
    const { runtime, upstream, fetchLimiter } = this.#parts
    const { stopping, telemetry } = runtime
    const stopped = new Promise<null>((resolve) => {
      stopping.addEventListener('abort', () => resolve(null), { once: true })
    })
    const test = async () => {
      await fetchLimiter.take(stopping)
      return upstream.fetch(UNKNOWN_ID)
    }
    // A stop does not wait for the response: closing the upstream ends the call.
    const outcome = await Promise.race([test(), stopped]).catch((error: unknown) => {
      if (!stopping.aborted) throw error
      return null
    })
    if (outcome?.kind === 'nothing' && outcome.isDown) telemetry.keyNotTested(outcome.httpStatus, outcome.reason)
  }

  /** The only outgoing call that may reach a private or local address: the operator has configured it. */
  async #probePublicUrl(): Promise<void> {
    const { runtime, publicUrl } = this.#parts
    const { stopping, telemetry } = runtime
    const timeout = AbortSignal.timeout(PROBE_TIMEOUT_MS)
    const outcome = await probeUrl(`${publicUrl}/healthz`, AbortSignal.any([timeout, stopping]))
    if (stopping.aborted) return
    this.#isReachable = outcome.status === 200 && outcome.body?.includes('"alive"') === true
    telemetry.publicUrlProbed(publicUrl, this.#isReachable ? null : describeProblem(outcome))
  }
}

function describeProblem(outcome: ProbeOutcome): string {
  if (outcome.status === null) return PROBLEMS[outcome.errorCode] ?? outcome.errorCode
  return outcome.status === 200 ? 'another program answers there' : `HTTP ${outcome.status}`
}

const PROBLEMS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'its host name does not exist',
  ABORT_ERR: 'no answer in time',
}
