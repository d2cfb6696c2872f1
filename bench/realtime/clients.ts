/** Many WebSocket clients in this process, as light as they can be. */
import { once } from 'node:events'
import { WebSocket } from 'ws'

const AT_ONCE = 100

/** Makes `count` things, a hundred at a time. */
export async function makeMany<T>(count: number, make: (n: number) => Promise<T>): Promise<T[]> {
  const made: T[] = []
  for (let from = 0; from < count; from += AT_ONCE) {
    const size = Math.min(AT_ONCE, count - from)
    made.push(...(await Promise.all(Array.from({ length: size }, async (_unused, n) => make(from + n)))))
  }
  return made
}

export interface Subscription {
  readonly query: string
  readonly variables?: Readonly<Record<string, unknown>>
}

/** One document for all jobs, as a client sends it. */
export function watchJob(id: string): Subscription {
  const query = 'subscription ($id: ID!) { swapJobUpdated(id: $id) { id status version done result { url } } }'
  return { query, variables: { id } }
}

export interface WireClient {
  readonly socket: WebSocket
  /** Called with each `next`, the operation's id first. */
  onNext: (id: string, text: string, at: number) => void
  onComplete: (id: string, text: string) => void
  /** Resolves with the first event. */
  subscribe(id: string, payload: Subscription): Promise<void>
  /** Does not wait for anything. */
  ask(id: string, payload: Subscription): void
}

/** A client that is acknowledged. @param credentials for `connection_init`. */
export async function connectClient(url: string, credentials: object = {}): Promise<WireClient> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    perMessageDeflate: false,
  })
  // Whoever waits for something hears that it will not come; nobody else minds.
  const closed = rejectWhenClosed(socket)
  closed.catch(() => undefined)
  const first = new Map<string, () => void>()
  const client: WireClient = {
    socket,
    onNext: () => {},
    onComplete: () => {},
    ask: (id, payload) => socket.send(JSON.stringify({ type: 'subscribe', id, payload })),
    subscribe: async (id, payload) => {
      const seen = new Promise<void>((resolve) => {
        first.set(id, resolve)
      })
      client.ask(id, payload)
      await Promise.race([seen, closed])
    },
  }
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'connection_init', payload: credentials }))
  await Promise.race([once(socket, 'message'), closed])
  listen(socket, (type, id, text, at) => {
    if (type === 'complete') client.onComplete(id, text)
    else {
      client.onNext(id, text, at)
      first.get(id)?.()
      first.delete(id)
    }
  })
  return client
}

async function rejectWhenClosed(socket: WebSocket): Promise<never> {
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
  throw new Error(`closed with ${code} ${reason.toString('utf8')}`)
}

/** Reads what matters of each message: what it is, whose, and when it came. @throws where it is an error. */
function listen(socket: WebSocket, hear: (type: string, id: string, text: string, at: number) => void): void {
  socket.on('message', (data: Buffer) => {
    const at = performance.now()
    const text = data.toString('utf8')
    // Each server has an order of members of its own.
    const { type, id } = JSON.parse(text) as { readonly type: string; readonly id: string }
    if (type === 'error') throw new Error(text)
    hear(type, id, text, at)
  })
}
