/**
 * Wake-ups between processes, over PostgreSQL's LISTEN and NOTIFY on a connection of its own. Ids only, many in one
 * notification. They are wake-ups and nothing more: whatever gets lost with a connection or a process, a look at the
 * last changes finds within seconds.
 */
import { Socket } from 'node:net'
import { Client, type Notification } from 'pg'
import type { Background } from '../lib/async/background.ts'
import type { Clock } from '../lib/time/clock.ts'
import type { EventBus } from './event-bus.ts'
import { createMemoryBus } from './memory.ts'

const CHANNEL = 'swapface_jobs'
const PEERS_CHANNEL = 'swapface_peers'
/** PostgreSQL takes less than 8,000 bytes. */
const MAX_PAYLOAD_BYTES = 7_900
const LOOK_EVERY_MS = 2_000
/** The connection is asked this often whether it is alive, and given up where it does not answer in this time. */
const HEARTBEAT_MS = 4_000
const CONNECT_AGAIN_MS = 500
/** Changes that one look tells; where there are more, everybody who waits is rung. */
const MAX_LOOKED_AT = 5_000

interface Change {
  readonly id: string
  readonly tenant: string
}

export interface PostgresBusParts {
  readonly url: string
  /** The jobs that changed at a place after `after`, the latest first. */
  readonly listLatestChanges: (
    after: number,
    limit: number,
  ) => Promise<readonly (Change & { readonly sequence: number })[]>
  readonly background: Background
  readonly clock: Clock
  /** Aborts when the program stops: then nothing is heard any more. */
  readonly stopping: AbortSignal
  readonly onFailure: (what: string, error: unknown) => void
}

/** Begins to listen at once; whoever subscribes before it does is found by the looks. */
export function openPostgresBus(parts: PostgresBusParts): EventBus {
  const { url, listLatestChanges, background, clock, stopping, onFailure } = parts
  const local = createMemoryBus()
  let ask: Ask | null = null
  let unsent: Change[] = []
  const peerListeners: ((message: string) => void)[] = []

  const hear = ({ channel, payload = '' }: Notification) => {
    if (channel === PEERS_CHANNEL) {
      for (const listener of peerListeners) listener(payload)
      return
    }
    for (const change of payload.split('\n')) {
      const [id = '', tenant = ''] = change.split(' ')
      local.publish({ id, tenant: decodeURIComponent(tenant) })
    }
  }

  const notify = (channel: string, payload: string) => {
    ask?.('select pg_notify($1, $2)', [channel, payload]).catch((error: unknown) => onFailure('notify', error))
  }

  /** One notification for all that was published in this turn. Where it cannot be sent, the others' looks find it. */
  const send = () => {
    const changes = unsent
    unsent = []
    for (const payload of pack(changes)) notify(CHANNEL, payload)
  }

  /** Listens on one connection until it is gone. */
  const listenOnce = async () => {
    const socket = new Socket()
    const own = new Client({
      connectionString: url,
      stream: () => socket,
      application_name: 'swapface-gateway listener',
      connectionTimeoutMillis: HEARTBEAT_MS,
      query_timeout: HEARTBEAT_MS,
      keepAlive: true,
    })
    const gone = new AbortController()
    let ownProcessId: number | null = null
    own.on('error', () => gone.abort())
    own.on('end', () => gone.abort())
    own.on('notification', (notification) => {
      // Our own were told as they were published.
      if (notification.processId !== ownProcessId) hear(notification)
    })
    try {
      await own.connect()
      const { rows } = await own.query<{ pid: number }>('select pg_backend_pid() as pid')
      ownProcessId = rows[0]?.pid ?? null
      await own.query(`listen ${CHANNEL}; listen ${PEERS_CHANNEL}`)
      ask = oneAfterAnother(own)
      while (!stopping.aborted) {
        await clock.delay(HEARTBEAT_MS, AbortSignal.any([stopping, gone.signal]))
        // Cut in the middle, a connection looks alive until it is asked.
        await ask('select 1')
      }
    } finally {
      ask = null
      // Not a farewell: the other side may never answer.
      socket.destroy()
    }
  }

  const listen = async () => {
    while (!stopping.aborted) {
      try {
        await listenOnce()
      } catch (error) {
        if (stopping.aborted) return
        onFailure('listen for changes', error)
      }
      await clock.delay(CONNECT_AGAIN_MS, stopping).catch(() => null)
    }
  }

  /**
   * The latest places at the last two looks. Read on from the one before the last: a change may become visible after
   * another one with a later place.
   */
  const latest: number[] = []
  const look = async () => {
    const [since] = latest
    const changes = await listLatestChanges(since ?? 0, since === undefined ? 1 : MAX_LOOKED_AT)
    if (changes.length === MAX_LOOKED_AT) local.notifyAll()
    else if (since !== undefined) for (const change of changes) local.publish(change)
    latest.push(changes[0]?.sequence ?? since ?? 0)
    if (latest.length > 2) latest.shift()
  }

  const keepLooking = async () => {
    while (!stopping.aborted) {
      await look().catch((error: unknown) => onFailure('look for changes', error))
      await clock.delay(LOOK_EVERY_MS, stopping).catch(() => null)
    }
  }

  background.run('listen for changes', listen)
  background.run('look for changes', keepLooking)

  return {
    ...local,
    publish: (change) => {
      local.publish(change)
      if (unsent.push(change) === 1) setImmediate(send)
    },
    publishToPeers: (message) => notify(PEERS_CHANNEL, message),
    subscribePeers: (listener) => {
      peerListeners.push(listener)
    },
  }
}

type Ask = (statement: string, values?: readonly string[]) => Promise<unknown>

function oneAfterAnother(client: Client): Ask {
  let last: Promise<unknown> = Promise.resolve()
  return async (statement, values = []) => {
    const before = last.catch(() => null)
    last = before.then(async () => client.query(statement, [...values]))
    return last
  }
}

/** Lines of an id and a tenant, as few payloads as hold them. */
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
