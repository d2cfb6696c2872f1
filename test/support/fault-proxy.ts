/**
 * A TCP proxy that fails on demand, in this process, with real sockets on both sides. It forwards to one port. A fault
 * affects open and new connections until `heal`.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export type WireFault =
  /** Connections are refused: connecting fails at once. */
  | { readonly kind: 'refuse' }
  /** Every connection is reset as soon as it is open. */
  | { readonly kind: 'reset' }
  /** Requests arrive; the connection is reset in place of the first byte of the response. */
  | { readonly kind: 'resetAfterSend' }
  /** Connections stay open, and bytes are dropped. */
  | { readonly kind: 'blackHole'; readonly direction: 'toServer' | 'toClient' | 'both' }
  /** Answers arrive at this rate. */
  | { readonly kind: 'throttle'; readonly bytesPerSecond: number }
  /**
   * The next connection on which the client sends this text is reset, once: `before` the text reaches the server, or
   * `after` the server has executed it, without the response. After the fault the server works again, or accepts no
   * connection.
   */
  | {
      readonly kind: 'resetAt'
      readonly text: string
      readonly when: 'before' | 'after'
      readonly thenRefuses?: boolean
    }
  /** Each connection is cut after this many bytes of responses. */
  | { readonly kind: 'cutAfter'; readonly bytes: number }

export interface FaultProxy {
  readonly url: string
  readonly port: number
  /** Number of connections accepted so far. */
  readonly connections: number
  fail(fault: WireFault): Promise<void>
  heal(): Promise<void>
  /** Forwards new connections to this port. */
  forwardTo(port: number): void
  /** Closes idle connections, as a server does after its keep-alive timeout. */
  closeIdle(): void
  close(): Promise<void>
}

/** @param toPort port on this machine that connections are forwarded to. */
export async function openFaultProxy(toPort: number): Promise<FaultProxy> {
  let target = toPort
  const pairs = new Set<{ readonly client: Socket; readonly server: Socket }>()
  const timers = new Set<NodeJS.Timeout>()
  let fault: WireFault | null = null
  let connections = 0

  const later = (ms: number, work: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      work()
    }, ms)
    timers.add(timer)
  }

  /** The client whose next response is lost, and whether connections are refused afterwards. */
  let doomed: { readonly client: Socket; readonly thenRefuses: boolean } | null = null

  const toServer = (client: Socket, server: Socket) => (chunk: Buffer) => {
    if (fault?.kind === 'blackHole' && fault.direction !== 'toClient') return
    if (fault?.kind === 'resetAt' && chunk.includes(fault.text)) {
      const { when, thenRefuses = false } = fault
      fault = null
      if (when === 'before') {
        if (thenRefuses) void unlisten()
        reset(client)
        server.destroy()
        return
      }
      doomed = { client, thenRefuses }
    }
    server.write(chunk)
  }

  const toClient = (client: Socket, server: Socket) => {
    let passed = 0
    return (chunk: Buffer) => {
      if (doomed?.client === client) {
        if (doomed.thenRefuses) void unlisten()
        doomed = null
        reset(client)
        server.destroy()
        return
      }
      switch (fault?.kind) {
        case 'resetAfterSend':
          reset(client)
          server.destroy()
          return
        case 'blackHole':
          if (fault.direction === 'toServer') client.write(chunk)
          return
        case 'throttle':
          server.pause()
          later((chunk.length / fault.bytesPerSecond) * 1_000, () => {
            client.write(chunk)
            server.resume()
          })
          return
        case 'cutAfter': {
          const left = Math.max(0, fault.bytes - passed)
          passed += chunk.length
          if (chunk.length < left) client.write(chunk)
          else {
            client.end(chunk.subarray(0, left))
            server.destroy()
          }
          return
        }
        case 'refuse':
        case 'reset':
        case 'resetAt':
        case undefined:
          passed += chunk.length
          client.write(chunk)
      }
    }
  }

  const take = (client: Socket) => {
    connections += 1
    client.on('error', () => client.destroy())
    if (fault?.kind === 'reset') {
      reset(client)
      return
    }
    const server = connect(target, '127.0.0.1')
    const pair = { client, server }
    pairs.add(pair)
    server.on('error', () => client.destroy())
    client.on('data', toServer(client, server))
    server.on('data', toClient(client, server))
    client.on('close', () => {
      pairs.delete(pair)
      server.destroy()
    })
    server.on('close', () => {
      // A black hole also drops the end of the connection.
      if (fault?.kind !== 'blackHole') client.end()
    })
  }

  let listener: Server | null = null
  const listen = async (port: number) => {
    const opened = createServer(take)
    opened.listen(port, '127.0.0.1')
    await once(opened, 'listening')
    listener = opened
    return (opened.address() as AddressInfo).port
  }
  const unlisten = async () => {
    const closing = listener
    listener = null
    for (const { client } of pairs) reset(client)
    if (closing) await new Promise((resolve) => closing.close(resolve))
  }
  const port = await listen(0)

  const heal = async () => {
    const wasDark = fault?.kind === 'blackHole'
    fault = null
    // Dropped bytes leave a gap in the stream, so the connections cannot continue.
    if (wasDark) for (const { client } of pairs) reset(client)
    if (!listener) await listen(port)
  }

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    get connections() {
      return connections
    },
    fail: async (next) => {
      await heal()
      fault = next
      if (next.kind === 'refuse') await unlisten()
      if (next.kind === 'reset') for (const { client } of pairs) reset(client)
    },
    heal,
    forwardTo: (next) => {
      target = next
    },
    closeIdle: () => {
      for (const { client } of pairs) client.end()
    },
    close: async () => {
      for (const timer of timers) clearTimeout(timer)
      await unlisten()
    },
  }
}

/** Opens a proxy in front of `url`, a server on this machine. @returns the proxy, and the URL through it. */
export async function openWireTo(url: string): Promise<{ readonly wire: FaultProxy; readonly through: string }> {
  const through = new URL(url)
  const wire = await openFaultProxy(Number(through.port))
  through.port = String(wire.port)
  return { wire, through: through.href }
}

/** Resets a socket. One that is already ending is not reset, or its handle would never be closed. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
