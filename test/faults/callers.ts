/** Callers of the gateway during a run: they create swaps, retry with the same key, and watch to the end. */
import { setMaxListeners } from 'node:events'
import { until } from '../support/until.ts'
import type { Intent, Outlet, Sighting } from '../support/history.ts'

const CREATE = `mutation ($input: CreateSwapInput!) { createSwap(input: $input) {
  __typename
  ... on CreateSwapSuccess { job { id status version failure { message } } }
  ... on SwapUpstreamError { refused: job { id status version failure { message } } }
  ... on SwapError { code message } } }`
const WATCH = 'subscription ($id: ID!) { swapJobUpdated(id: $id) { id version status done failure { message } } }'

/** The outcome of one call of createSwap. */
export type CreateAnswer =
  | { readonly kind: 'job'; readonly id: string }
  | { readonly kind: 'busy' }
  /** The gateway refused: it has sent nothing. */
  | { readonly kind: 'unavailable' }
  /** No response, or an unexpected one. */
  | { readonly kind: 'none'; readonly why: string }

interface JobEvent {
  readonly id: string
  readonly version: number
  readonly status: string
  readonly done: boolean
}

/** When a caller first called, and when it saw its job done; wall clock, epoch milliseconds. */
export interface RequestedSwap extends Intent {
  readonly jobIds: string[]
  readonly requestedAt: number
  doneAt: number | null
  doneAs: string | null
}

export interface Callers {
  readonly swaps: readonly RequestedSwap[]
  readonly sightings: readonly Sighting[]
  readonly outlets: readonly Outlet[]
  /** Calls createSwap once. */
  createSwap(swap: RequestedSwap): Promise<CreateAnswer>
  newSwap(): RequestedSwap
  /** Calls createSwap until there is a job, then watches it to its end. */
  requestSwap(): Promise<RequestedSwap>
  /** Resolves to true when every requested swap has ended; to false after the timeout. */
  untilEnded(timeoutMs: number): Promise<boolean>
  close(): Promise<void>
}

const RETRY_AFTER_MS = 100
const RETRY_FOR_MS = 120_000

export interface CallersOptions {
  /** The `hookUrl` of each swap. */
  readonly hookUrl?: string
  readonly apiKey?: string
  url(): string
  /** Whether to watch each job by a subscription; if not, a requested swap counts as ended when its job is created. */
  readonly watches: boolean
  /** How long a caller waits for a response before it disconnects and retries. */
  readonly patienceMs: number
}

export function createCallers({ url, watches, patienceMs, hookUrl, apiKey }: CallersOptions): Callers {
  const swaps: RequestedSwap[] = []
  const sightings: Sighting[] = []
  const outlets: Outlet[] = []
  const open = new Set<Promise<unknown>>()
  const closing = new AbortController()
  setMaxListeners(0, closing.signal)
  const run = Math.random().toString(36).slice(2, 8)

  const post = (body: object, accept: string, timeoutMs: number) =>
    fetch(`${url()}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept, ...(apiKey !== undefined && { 'x-api-key': apiKey }) },
      body: JSON.stringify(body),
      signal: AbortSignal.any([closing.signal, AbortSignal.timeout(timeoutMs)]),
    })

  const createSwap = async ({ targetImage, jobIds }: RequestedSwap): Promise<CreateAnswer> => {
    const input = {
      targetImage: { url: targetImage },
      swapImage: { url: 'https://example.com/face.jpg?sig=canary-signed-url' },
      idempotencyKey: targetImage,
      ...(hookUrl !== undefined && { hookUrl }),
    }
    try {
      const response = await post({ query: CREATE, variables: { input } }, 'application/json', patienceMs)
      const text = await response.text()
      outlets.push({ kind: 'answer', text })
      const { data, errors } = JSON.parse(text) as {
        readonly data?: { readonly createSwap?: { readonly __typename: string; readonly code?: string } & Jobs } | null
        readonly errors?: readonly { readonly extensions?: { readonly code?: string } }[]
      }
      const answer = data?.createSwap
      const id = answer?.job?.id ?? answer?.refused?.id
      if (id !== undefined) {
        jobIds.push(id)
        return { kind: 'job', id }
      }
      if (answer?.code === 'BUSY') return { kind: 'busy' }
      if (errors?.some(({ extensions }) => extensions?.code === 'UNAVAILABLE')) return { kind: 'unavailable' }
      return { kind: 'none', why: text.slice(0, 300) }
    } catch (error) {
      return { kind: 'none', why: error instanceof Error ? error.name : 'unknown' }
    }
  }

  /** Runs one subscription. */
  const watchOnce = async (jobId: string): Promise<Sighting> => {
    const events: JobEvent[] = []
    let end: Sighting['end'] = 'cut'
    let hasFailed = false
    try {
      const response = await post({ query: WATCH, variables: { id: jobId } }, 'text/event-stream', RETRY_FOR_MS)
      let text = ''
      for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
        text += chunk
        for (let at = text.indexOf('\n\n'); at !== -1; at = text.indexOf('\n\n')) {
          const event = text.slice(0, at)
          text = text.slice(at + 2)
          if (event.startsWith('event: complete')) end = 'completed'
          const json = /^data: (\{.+)$/m.exec(event)?.[1]
          if (json === undefined) continue
          outlets.push({ kind: 'event', text: json })
          const { data } = JSON.parse(json) as { readonly data?: { readonly swapJobUpdated?: JobEvent } | null }
          if (data?.swapJobUpdated) events.push(data.swapJobUpdated)
          else hasFailed = true
        }
        if (end === 'completed') break
      }
      // An error instead of a state, for example without a database: the caller subscribes again.
      if (hasFailed) end = 'cut'
    } catch {
      // The events before a cut count.
    }
    const sighting = { jobId, events, end }
    if (events.length > 0 || end === 'completed') sightings.push(sighting)
    return sighting
  }

  const requestAndWatch = async (swap: RequestedSwap) => {
    const id = await until(
      async () => {
        if (closing.signal.aborted) throw new Error('closed')
        const answer = await createSwap(swap)
        return answer.kind === 'job' && answer.id
      },
      { timeoutMs: RETRY_FOR_MS, everyMs: RETRY_AFTER_MS },
    )
    if (!watches) return
    const last = await until(
      async () => {
        if (closing.signal.aborted) throw new Error('closed')
        const { events } = await watchOnce(id)
        const event = events.at(-1)
        return event?.done === true && event
      },
      { timeoutMs: RETRY_FOR_MS, everyMs: RETRY_AFTER_MS },
    )
    swap.doneAt = Date.now()
    swap.doneAs = last.status
  }

  const newSwap = (): RequestedSwap => {
    const targetImage = `https://example.com/${run}/${swaps.length}.jpg?sig=canary-signed-url`
    const swap = { targetImage, jobIds: [], requestedAt: Date.now(), doneAt: null, doneAs: null }
    swaps.push(swap)
    return swap
  }

  return {
    swaps,
    sightings,
    outlets,
    createSwap,
    newSwap,
    requestSwap: async () => {
      const swap = newSwap()
      // If this fails, the checker reports a job that never ended.
      const work = requestAndWatch(swap)
        .catch(() => undefined)
        .finally(() => open.delete(work))
      open.add(work)
      await work
      return swap
    },
    untilEnded: async (timeoutMs) => {
      try {
        await until(() => open.size === 0, { timeoutMs })
        return true
      } catch {
        return false
      }
    },
    close: async () => {
      closing.abort()
      await Promise.all(open)
    },
  }
}

interface Jobs {
  readonly job?: { readonly id: string }
  readonly refused?: { readonly id: string }
}
