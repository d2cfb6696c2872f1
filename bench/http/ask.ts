/** A request of a scenario, and the load of many such requests. */
import type { Request } from 'autocannon'

export const CONNECTIONS = 32

export interface Ask {
  readonly path: string
  readonly body: string
}

export interface Answer {
  readonly status: number
  /** Without the headers that a server sets itself. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The requests of a scenario. */
export interface Load {
  /** The request that checks every contender. */
  readonly first: Ask
  /** Returns the requests that one connection repeats. */
  readonly shareOf: (connection: number) => Request[]
}

const HEADERS = { 'content-type': 'application/json' }
const OF_THE_SERVER: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'date', 'content-length'])

export function toAsk(query: string, variables: object = {}): Ask {
  return { path: '/graphql', body: JSON.stringify({ query, variables }) }
}

export async function post(url: string, { path, body }: Ask): Promise<Answer> {
  const response = await fetch(`${url}${path}`, { method: 'POST', headers: HEADERS, body })
  const headers = [...response.headers].filter(([name]) => !OF_THE_SERVER.has(name))
  return { status: response.status, headers: Object.fromEntries(headers), body: await response.text() }
}

/** Distributes requests round-robin, so that connections send different ones if there are enough. */
export function cycle(asks: readonly [Ask, ...Ask[]]): Load {
  const hands = Math.min(CONNECTIONS, asks.length)
  return {
    first: asks[0],
    shareOf: (connection) => asks.filter((_ask, n) => n % hands === connection % hands).map(toRequest),
  }
}

/** Creates a new request each time. */
export function freshly(make: () => Ask): Load {
  const setupRequest = (request: Request) => ({ ...request, ...toRequest(make()) })
  return { first: make(), shareOf: () => [{ setupRequest }] }
}

function toRequest({ path, body }: Ask): Request {
  // A copy of the headers: autocannon modifies them.
  return { method: 'POST', path, headers: { ...HEADERS }, body }
}
