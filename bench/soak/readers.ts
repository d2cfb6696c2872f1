/** Clients of a soak: they watch jobs to their end, read slowly, or lose their connection. */
import { once } from 'node:events'
import { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connectClient, type WireClient, watchJob } from '../realtime/clients.ts'
import { type Line, openStreamLine } from '../realtime/lines.ts'

export interface Reader {
  /** Watches a job until its stream completes. */
  watchToEnd(jobId: string): Promise<void>
  close(): void
}

/** Reconnects when the connection is lost, and watches the same job again. */
export class SocketReader implements Reader {
  readonly #url: string
  #connection: { readonly client: WireClient; readonly closed: Promise<unknown> } | null = null
  #isClosed = false
  #watched = 0

  constructor(url: string) {
    this.#url = url
  }

  async watchToEnd(jobId: string): Promise<void> {
    while (!this.#isClosed) {
      const { client, closed } = (this.#connection ??= await this.#connect())
      this.#watched += 1
      const operation = `w${this.#watched}`
      const completed = new Promise<boolean>((resolve) => {
        client.onComplete = (id) => {
          if (id === operation) resolve(true)
        }
      })
      // A subscription fails only if its connection closes.
      await client.subscribe(operation, watchJob(jobId)).catch(() => undefined)
      if (await Promise.race([completed, closed.then(() => false)])) return
    }
  }

  /** Ends the connection with a TCP reset. @returns whether there was one. */
  reset(): boolean {
    if (!this.#connection) return false
    resetSocket(this.#connection.client)
    return true
  }

  close(): void {
    this.#isClosed = true
    this.#connection?.client.socket.terminate()
  }

  async #connect() {
    const client = await connectAgain(this.#url)
    const closed = once(client.socket, 'close')
    client.socket.on('close', () => {
      this.#connection = null
    })
    return { client, closed }
  }
}

/** Watches one job after another over server-sent events. */
export class StreamReader implements Reader {
  readonly #line: Line

  private constructor(line: Line) {
    this.#line = line
  }

  static async open(url: string): Promise<StreamReader> {
    return new StreamReader(await openStreamLine(url))
  }

  async watchToEnd(jobId: string): Promise<void> {
    const completed = new Promise<void>((resolve) => {
      this.#line.onEnd = () => resolve()
    })
    await this.#line.watch(jobId)
    await completed
  }

  close(): void {
    this.#line.close()
  }
}

const READS_FOR_MS = 200
const PAUSES_FOR_MS = 5_000
const CONNECTS_AGAIN_AFTER_MS = 500

/** Subscribes to all changes but seldom reads, and reconnects if the gateway closes the connection. */
export async function readSlowly(url: string, signal: AbortSignal): Promise<void> {
  const query = 'subscription { swapJobsUpdated { kind cursor job { id status version done } } }'
  while (!signal.aborted) {
    const client = await connectAgain(url)
    const stop = () => client.socket.terminate()
    signal.addEventListener('abort', stop, { once: true })
    await client.subscribe('1', { query }).catch(() => undefined)
    while (client.socket.readyState === client.socket.OPEN) {
      client.socket.pause()
      await delay(PAUSES_FOR_MS, undefined, { signal }).catch(() => undefined)
      client.socket.resume()
      await delay(READS_FOR_MS, undefined, { signal }).catch(() => undefined)
    }
    signal.removeEventListener('abort', stop)
  }
}

/** Connects, and tries again until it succeeds: a busy machine may miss the time for `connection_init`. */
async function connectAgain(url: string): Promise<WireClient> {
  for (;;) {
    const client = await connectClient(url).catch(() => null)
    if (client) {
      client.socket.on('error', () => undefined)
      return client
    }
    await delay(CONNECTS_AGAIN_AFTER_MS)
  }
}

function resetSocket({ socket }: WireClient): void {
  // ws does not expose the TCP socket, and its own methods send a FIN.
  const tcp: unknown = Reflect.get(socket, '_socket')
  if (tcp instanceof Socket) tcp.resetAndDestroy()
}
