/** Many lightweight WebSocket clients in this process. */
import { once } from 'node:events'
import { WebSocket } from 'ws'

const AT_ONCE = 100

/** Calls `make` `count` times, a hundred at a time. */
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

/** Returns a subscription to a job; the document is the same for all jobs, as with real clients. */
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
  /** Sends an operation without waiting for a response. */
  ask(id: string, payload: Subscription): void
}

/** Connects a client and waits for its acknowledgement. @param credentials for `connection_init`. */
export async function connectClient(url: string, credentials: object = {}): Promise<WireClient> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    perMessageDeflate: false,
  })
  // A lost connection rejects pending waits only.
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

/** Reads the type, the operation id and the arrival time of each message. @throws for an error message. */
function listen(socket: WebSocket, hear: (type: string, id: string, text: string, at: number) => void): void {
  socket.on('message', (data: Buffer) => {
    const at = performance.now()
    const text = data.toString('utf8')
    // The order of members differs between servers.
    const { type, id } = JSON.parse(text) as { readonly type: string; readonly id: string }
    if (type === 'error') throw new Error(text)
    hear(type, id, text, at)
  })
}
