/**
 * Wake-ups between processes, over PostgreSQL's LISTEN and NOTIFY on a dedicated connection. A notification carries
 * only ids of jobs and tenants. If one is lost with a connection or a process, a poll of the last changes finds those
 * jobs within seconds.
 */
import { Socket } from 'node:net'
import { Client, type Notification } from 'pg'
import type { Background } from '../lib/async/background.ts'
import type { Clock } from '../lib/time/clock.ts'
import type { EventBus } from './event-bus.ts'
import { createMemoryBus } from './memory.ts'

const CHANNEL = 'swapface_jobs'
const PEERS_CHANNEL = 'swapface_peers'
/** PostgreSQL accepts less than 8,000 bytes. */
const MAX_PAYLOAD_BYTES = 7_900
const POLL_EVERY_MS = 2_000
/** Interval of the heartbeat. The connection is dropped if the server does not respond within the same time. */
const HEARTBEAT_MS = 4_000
const CONNECT_AGAIN_MS = 500
/** Changes that one poll publishes one by one; if there are more, every listener is notified. */
const MAX_POLLED_CHANGES = 5_000

interface Change {
  readonly id: string
  readonly tenant: string
}

export interface PostgresBusParts {
  readonly url: string
  /** The jobs whose last change has a sequence number above `after`, the latest first. */
  readonly listLatestChanges: (
    after: number,
    limit: number,
  ) => Promise<readonly (Change & { readonly sequence: number })[]>
  readonly background: Background
  readonly clock: Clock
  /** Aborts when the gateway stops; the bus then receives no more messages. */
  readonly stopping: AbortSignal
  readonly onFailure: (what: string, error: unknown) => void
}

/** Opens the bus, which starts to listen at once. A poll finds changes that were published before it listens. */
export function openPostgresBus(parts: PostgresBusParts): EventBus {
  const bus = new PostgresBus(parts)
  parts.background.run('listen for changes', () => bus.listenUntilStopped())
  parts.background.run('poll for changes', () => bus.pollUntilStopped())
  return bus
}

class PostgresBus implements EventBus {
  readonly #parts: PostgresBusParts
  readonly #local = createMemoryBus()
  readonly #peerListeners: ((message: string) => void)[] = []
  /** Sends a statement on the listening connection; null while there is none. */
  #query: Query | null = null
  #unsent: Change[] = []
  /**
   * The latest sequence numbers at the last two polls. The next poll continues from the poll before the last: a change
   * may become visible after another one with a higher number.
   */
  readonly #latest: number[] = []

  constructor(parts: PostgresBusParts) {
    this.#parts = parts
  }

  publish(change: Change): void {
    this.#local.publish(change)
    if (this.#unsent.push(change) === 1) setImmediate(() => this.#send())
  }

  subscribeJob(jobId: string, listener: () => void): () => void {
    return this.#local.subscribeJob(jobId, listener)
  }

  subscribeTenant(tenant: string, listener: () => void): () => void {
    return this.#local.subscribeTenant(tenant, listener)
  }

  isWatched(jobId: string): boolean {
    return this.#local.isWatched(jobId)
  }

  publishToPeers(message: string): void {
    this.#notify(PEERS_CHANNEL, message)
  }

  subscribePeers(listener: (message: string) => void): void {
    this.#peerListeners.push(listener)
  }

  async listenUntilStopped(): Promise<void> {
    const { clock, stopping, onFailure } = this.#parts
    while (!stopping.aborted) {
      try {
        await this.#listenOnce()
      } catch (error) {
        if (stopping.aborted) return
        onFailure('listen for changes', error)
      }
      await clock.delay(CONNECT_AGAIN_MS, stopping).catch(() => null)
    }
  }

  async pollUntilStopped(): Promise<void> {
    const { clock, stopping, onFailure } = this.#parts
    while (!stopping.aborted) {
      await this.#poll().catch((error: unknown) => onFailure('poll for changes', error))
      await clock.delay(POLL_EVERY_MS, stopping).catch(() => null)
    }
  }

  /** Listens on one connection until it is lost. */
  async #listenOnce(): Promise<void> {
    const { url, clock, stopping } = this.#parts
    const socket = new Socket()
    const client = new Client({
      connectionString: url,
      stream: () => socket,
      application_name: 'swapface-gateway listener',
      connectionTimeoutMillis: HEARTBEAT_MS,
      query_timeout: HEARTBEAT_MS,
      keepAlive: true,
    })
    const gone = new AbortController()
    let ownProcessId: number | null = null
    client.on('error', () => gone.abort())
    client.on('end', () => gone.abort())
    client.on('notification', (notification) => {
      // Our own changes were published here already.
      if (notification.processId !== ownProcessId) this.#receive(notification)
    })
    try {
      await client.connect()
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
      ownProcessId = rows[0]?.pid ?? null
      await client.query(`listen ${CHANNEL}; listen ${PEERS_CHANNEL}`)
      const query = oneAfterAnother(client)
      this.#query = query
      while (!stopping.aborted) {
        await clock.delay(HEARTBEAT_MS, AbortSignal.any([stopping, gone.signal]))
        // A half-open connection seems alive until a query fails.
        await query('select 1')
      }
    } finally {
      this.#query = null
      // No `client.end()`: the server may never respond to it.
      socket.destroy()
    }
  }

  #receive({ channel, payload = '' }: Notification): void {
    if (channel === PEERS_CHANNEL) {
      for (const listener of this.#peerListeners) listener(payload)
      return
    }
    for (const change of payload.split('\n')) {
      const [id = '', tenant = ''] = change.split(' ')
      this.#local.publish({ id, tenant: decodeURIComponent(tenant) })
    }
  }

  /** Sends all changes published in this tick at once. If that fails, the other processes find them by polling. */
  #send(): void {
    const changes = this.#unsent
    this.#unsent = []
    for (const payload of pack(changes)) this.#notify(CHANNEL, payload)
  }

  #notify(channel: string, payload: string): void {
    const { onFailure } = this.#parts
    this.#query?.('select pg_notify($1, $2)', [channel, payload]).catch((error: unknown) => onFailure('notify', error))
  }

  async #poll(): Promise<void> {
    const [since] = this.#latest
    const limit = since === undefined ? 1 : MAX_POLLED_CHANGES
    const changes = await this.#parts.listLatestChanges(since ?? 0, limit)
    if (changes.length === MAX_POLLED_CHANGES) this.#local.notifyAll()
    else if (since !== undefined) for (const change of changes) this.#local.publish(change)
    this.#latest.push(changes[0]?.sequence ?? since ?? 0)
    if (this.#latest.length > 2) this.#latest.shift()
  }
}

type Query = (statement: string, values?: readonly string[]) => Promise<unknown>

function oneAfterAnother(client: Client): Query {
  let last: Promise<unknown> = Promise.resolve()
  return async (statement, values = []) => {
    const before = last.catch(() => null)
    last = before.then(async () => client.query(statement, [...values]))
    return last
  }
}

/** Packs lines of an id and a tenant into as few payloads as possible, in their order. */
function pack(changes: readonly Change[]): string[] {
  const payloads: string[] = []
  for (const { id, tenant } of changes) {
    const line = `${id} ${encodeURIComponent(tenant)}`
    const last = payloads.at(-1)
    if (last !== undefined && last.length + line.length < MAX_PAYLOAD_BYTES)
      payloads[payloads.length - 1] = `${last}\n${line}`
    else payloads.push(line)
  }
  return payloads
}
