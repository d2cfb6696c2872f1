import type { FetchOutcome, SubmitOutcome, SubmitRequest, Upstream } from '../../src/upstream/upstream.ts'

type Answer<Outcome> = Outcome | Promise<Outcome>

/** An upstream for unit tests that need outcomes and no network: it gives those the test hands it. */
export interface UpstreamPort extends Upstream {
  readonly submitted: readonly SubmitRequest[]
  /** The id that each fetch asked for. */
  readonly fetched: readonly string[]
  /** How the next submits end, in order; then each is accepted as `U1`, `U2`, … by its number. */
  planSubmits(...outcomes: Answer<SubmitOutcome>[]): void
  /** How the next fetches end, in order; then each says that the job is unfinished. */
  planFetches(...outcomes: Answer<FetchOutcome>[]): void
}

const NO_ECHO = { targetImage: null, swapImage: null, hookUrl: null }

export const UNKNOWN_ID: FetchOutcome = { kind: 'nothing', reason: 'HTTP 404', isDown: false }
export const DOWN: FetchOutcome = { kind: 'nothing', reason: 'HTTP 503', isDown: true }

export function unfinished(upstreamId: string): FetchOutcome {
  return { kind: 'unfinished', upstreamId, word: 'ON_QUEUE', echo: NO_ECHO }
}

export function succeeded(upstreamId: string, echo: Partial<typeof NO_ECHO> | object = {}): FetchOutcome {
  const links = { cdnImage: 'https://cdn.example.com/a.jpg', discordImage: null }
  return { kind: 'succeeded', upstreamId, word: 'SUCCESS', echo: { ...NO_ECHO, ...echo }, links, quota: 3 }
}

export function failed(upstreamId: string): FetchOutcome {
  const failure = { code: 'UPSTREAM_FAILED', message: 'It failed.', retryable: true } as const
  return { kind: 'failed', upstreamId, word: 'FAILED', echo: NO_ECHO, failure }
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
