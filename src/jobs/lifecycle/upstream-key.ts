/** Knows whether the upstream accepts the gateway's key, from the outcomes of all calls. */
import type { Telemetry } from '../../telemetry/events.ts'
import type { FetchOutcome, SubmitOutcome, Upstream } from '../../upstream/upstream.ts'

export class UpstreamKey {
  readonly #telemetry: Pick<Telemetry, 'keyRefused' | 'keyAccepted'>
  #isAccepted: boolean | null = null

  constructor(telemetry: Pick<Telemetry, 'keyRefused' | 'keyAccepted'>) {
    this.#telemetry = telemetry
  }

  /** Null until an answer of the upstream has told. */
  get isAccepted(): boolean | null {
    return this.#isAccepted
  }

  /** @returns the upstream, whose outcomes are recorded here. */
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

/** What the outcome says about the key; null: nothing. */
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
      // Without words of the upstream it may be a proxy's answer.
      return httpStatus !== null && AFTER_THE_KEY.has(httpStatus) && upstreamMessage !== null ? true : null
    }
  }
}
