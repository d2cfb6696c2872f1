/** The load of a soak: swaps at a steady pace, each watched by a reader, with slow readers and resets beside them. */
import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { makeMany } from '../realtime/clients.ts'
import type { BenchGateway } from '../realtime/gateway.ts'
import { type Reader, readSlowly, SocketReader, StreamReader } from './readers.ts'

/** Recorded, submitted, ended. */
const CHANGES_OF_A_SWAP = 3
const STREAM_SHARE = 0.1
const SLOW_SHARE = 0.05
/** Share of the readers whose connection is reset, each second. */
const RESET_SHARE = 0.01
const LASTS_MS = { from: 300, to: 1_500 }
const TICK_MS = 20

export interface SoakCounts {
  started: number
  ended: number
  resets: number
  /** Swaps that had to start late, because no reader was free. */
  late: number
  failed: number
}

export interface SoakLoad {
  readonly counts: Readonly<SoakCounts>
  /** Lets the running swaps end, and closes all clients. */
  stop(): Promise<void>
}

export interface SoakOptions {
  readonly changesPerSecond: number
  readonly readers: number
}

export async function startSoakLoad(gateway: BenchGateway, options: SoakOptions): Promise<SoakLoad> {
  const { url } = gateway
  const stopping = new AbortController()
  // Each slow reader listens.
  setMaxListeners(0, stopping.signal)
  const counts: SoakCounts = { started: 0, ended: 0, resets: 0, late: 0, failed: 0 }
  const sockets = Array.from({ length: options.readers }, () => new SocketReader(url))
  const streams = await makeMany(Math.ceil(options.readers * STREAM_SHARE), async () => StreamReader.open(url))
  const slow = Array.from({ length: Math.ceil(options.readers * SLOW_SHARE) }, async () =>
    readSlowly(url, stopping.signal),
  )
  const free: Reader[] = [...sockets, ...streams]
  const running = new Set<Promise<void>>()

  const runSwap = async (reader: Reader) => {
    try {
      const [job] = await gateway.createJobs(1)
      if (!job) throw new TypeError('a job was asked for')
      const watched = reader.watchToEnd(job.id)
      await delay(LASTS_MS.from + Math.random() * (LASTS_MS.to - LASTS_MS.from))
      await Promise.all([watched, gateway.finish(job)])
      counts.ended += 1
    } catch (error) {
      counts.failed += 1
      if (counts.failed <= 5) process.stderr.write(`a swap failed: ${String(error)}\n`)
    }
    free.unshift(reader)
  }

  const startDue = async () => {
    const from = performance.now()
    while (!stopping.signal.aborted) {
      const due = ((performance.now() - from) / 1_000) * (options.changesPerSecond / CHANGES_OF_A_SWAP)
      while (counts.started + counts.late < due) {
        const reader = free.pop()
        if (!reader) {
          counts.late += 1
          continue
        }
        counts.started += 1
        const swap = runSwap(reader)
        running.add(swap)
        void swap.finally(() => running.delete(swap))
      }
      await delay(TICK_MS)
    }
  }

  const resetSome = async () => {
    while (!stopping.signal.aborted) {
      await delay(1_000)
      for (let n = 0; n < options.readers * RESET_SHARE; n += 1) {
        if (sockets[Math.floor(Math.random() * sockets.length)]?.reset()) counts.resets += 1
      }
    }
  }

  const loops = [startDue(), resetSome()]
  return {
    counts,
    stop: async () => {
      stopping.abort()
      await Promise.all(loops)
      await Promise.all(running)
      await Promise.all(slow)
      for (const reader of [...sockets, ...streams]) reader.close()
    },
  }
}
