import type { FetchOutcome, SubmitOutcome, SubmitRequest, Upstream } from '../../src/upstream/upstream.ts'

type Answer<Outcome> = Outcome | Promise<Outcome>

/** An upstream without network for unit tests: it returns the outcomes that the test planned. */
export interface UpstreamPort extends Upstream {
  readonly submitted: readonly SubmitRequest[]
  /** The ids of all fetches, in order. */
  readonly fetched: readonly string[]
  /** Sets the outcomes of the next submits, in order; later ones are accepted as `U1`, `U2`, … by their number. */
  planSubmits(...outcomes: Answer<SubmitOutcome>[]): void
  /** Sets the outcomes of the next fetches, in order; later ones report an unfinished job. */
  planFetches(...outcomes: Answer<FetchOutcome>[]): void
}

const NO_ECHO = { targetImage: null, swapImage: null, hookUrl: null }

export const UNKNOWN_ID: FetchOutcome = {
  kind: 'nothing',
  httpStatus: 404,
  reason: 'HTTP 404',
  upstreamMessage: null,
  isDown: false,
}
export const DOWN: FetchOutcome = {
  kind: 'nothing',
  httpStatus: 503,
  reason: 'HTTP 503',
  upstreamMessage: null,
  isDown: true,
}

export function unfinished(upstreamId: string): FetchOutcome {
  return { kind: 'unfinished', upstreamId, word: 'ON_QUEUE', echo: NO_ECHO }
}

export function succeeded(upstreamId: string, echo: Partial<typeof NO_ECHO> | object = {}): FetchOutcome {
  const links = { cdnImage: 'https://cdn.example.com/a.jpg', discordImage: null }
  return { kind: 'succeeded', upstreamId, word: 'SUCCESS', echo: { ...NO_ECHO, ...echo }, links, quota: 3 }
}

export function failed(upstreamId: string): FetchOutcome {
  const failure = { code: 'UPSTREAM_FAILED', message: 'It failed.', retryable: true } as const
  return { kind: 'failed', upstreamId, word: 'FAILED', echo: NO_ECHO, failure, upstreamMessage: null }
}

export function createUpstreamPort(): UpstreamPort {
  const submitted: SubmitRequest[] = []
  const fetched: string[] = []
  const submitOutcomes: Answer<SubmitOutcome>[] = []
  const fetchOutcomes: Answer<FetchOutcome>[] = []
  return {
    submitted,
    fetched,
    planSubmits: (...outcomes) => {
      submitOutcomes.push(...outcomes)
    },
    planFetches: (...outcomes) => {
      fetchOutcomes.push(...outcomes)
    },
    submit: async (request) => {
      submitted.push(request)
      return submitOutcomes.shift() ?? { kind: 'accepted', upstreamId: `U${submitted.length}` }
    },
    fetch: async (upstreamId) => {
      fetched.push(upstreamId)
      return fetchOutcomes.shift() ?? unfinished(upstreamId)
    },
    readHookId: (body) => (body === '' ? null : body),
  }
}
