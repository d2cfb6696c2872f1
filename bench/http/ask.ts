/** One request of a scenario, and the load that is made of it. */
import type { Request } from 'autocannon'

export const CONNECTIONS = 32

export interface Ask {
  readonly path: string
  readonly body: string
}

export interface Answer {
  readonly status: number
  /** Those that a server sets itself left out. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What a scenario sends. */
export interface Load {
  /** What every contender is tried with. */
  readonly first: Ask
  /** What one connection sends, over and over. */
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

/** Dealt out like cards, so that no two connections ask for the same at a time while there are enough of them. */
export function cycle(asks: readonly [Ask, ...Ask[]]): Load {
  const hands = Math.min(CONNECTIONS, asks.length)
  return {
    first: asks[0],
    shareOf: (connection) => asks.filter((_ask, n) => n % hands === connection % hands).map(toRequest),
  }
}

/** None twice. */
export function freshly(make: () => Ask): Load {
  const setupRequest = (request: Request) => ({ ...request, ...toRequest(make()) })
  return { first: make(), shareOf: () => [{ setupRequest }] }
}

function toRequest({ path, body }: Ask): Request {
  // Headers of its own: autocannon writes into them.
  return { method: 'POST', path, headers: { ...HEADERS }, body }
}
