/** Whether the upstream accepts the gateway's key, derived from the outcomes of all calls. */
import type { Telemetry } from '../../telemetry/events.ts'
import type { FetchOutcome, SubmitOutcome, Upstream } from '../../upstream/upstream.ts'

export class UpstreamKey {
  readonly #telemetry: Pick<Telemetry, 'keyRefused' | 'keyAccepted'>
  #isAccepted: boolean | null = null

  constructor(telemetry: Pick<Telemetry, 'keyRefused' | 'keyAccepted'>) {
    this.#telemetry = telemetry
  }

  /** Null until a response of the upstream shows it. */
  get isAccepted(): boolean | null {
    return this.#isAccepted
  }

  /** @returns the same upstream; the outcome of each call is recorded here. */
  watch(upstream: Upstream): Upstream {
    return {
      ...upstream,
      submit: async (request) => this.#record(await upstream.submit(request)),
      fetch: async (upstreamId) => this.#record(await upstream.fetch(upstreamId)),
    }
  }

  #record<Outcome extends SubmitOutcome | FetchOutcome>(outcome: Outcome): Outcome {
    const verdict = readVerdict(outcome)
    if (verdict === null || verdict === this.#isAccepted) return outcome
    this.#isAccepted = verdict
    if (verdict) this.#telemetry.keyAccepted()
    else this.#telemetry.keyRefused('httpStatus' in outcome ? outcome.httpStatus : null)
    return outcome
  }
}

/** Refusals that concern the swap or the account's quota, so the upstream has accepted the key. */
const AFTER_THE_KEY: ReadonlySet<number> = new Set([200, 400, 402, 404, 499])

/** Whether the outcome shows that the key is accepted; null if it shows neither. */
function readVerdict(outcome: SubmitOutcome | FetchOutcome): boolean | null {
  switch (outcome.kind) {
    case 'accepted':
    case 'unfinished':
    case 'succeeded':
    case 'failed':
      return true
    case 'notSent':
      return null
    case 'refused':
    case 'unknown':
    case 'nothing': {
      const { httpStatus, upstreamMessage } = outcome
      if (httpStatus === 401 || httpStatus === 403) return false
      // Without the upstream's own message, the response may come from a proxy.
      return httpStatus !== null && AFTER_THE_KEY.has(httpStatus) && upstreamMessage !== null ? true : null
    }
  }
}
