/**
 * The embedded upstream: the reference's REST service on a loopback address, with its own queue, database and results.
 * It does not depend on the gateway. All its data is below `<dataDir>/swapface`. After a crash, it finishes the jobs
 * that it had accepted.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import { Agent, buildConnector } from 'undici'

import { createAddressGuard, createGuardedConnector } from '../../../src/lib/net/address-guard.ts'
import { systemClock, type Clock } from '../../../src/lib/time/clock.ts'
import { createClosers } from '../../../src/lib/async/closers.ts'
import { MAX_IMAGE_BYTES } from '../../../src/lib/image/image-limits.ts'
import { createDownload } from './download.ts'
import type { SwapEngine } from './engine-contract.ts'
import { openSwapEngine } from './engine/engine.ts'
import { openHookSender } from './hook-sender.ts'
import { toJobDocument } from './job-document.ts'
import { openJobTable, type Job } from './job-table.ts'
import { readOrCreateLinkSecret } from './link-secret.ts'
import type { Log } from './log.ts'
import { createPortraitRoutes } from './portrait-routes.ts'
import { openQueue } from './queue.ts'
import { openRestServer } from './rest-server.ts'
import { createResultLinks } from './result-links.ts'
import { createResultRoutes } from './result-routes.ts'
import { createResultStore } from './result-store.ts'
import { createSwapApi } from './swap-api.ts'
import { openSweeper } from './sweeper.ts'

/** Retention of results and finished jobs. */
const KEPT_DAYS = 30

export interface SwapFaceOptions {
  /** A loopback address: only the program that starts the service uses it. */
  readonly host: string
  /** 0 selects a free port. */
  readonly port: number
  /** The expected TT-API-KEY header. */
  readonly apiKey: string
  readonly dataDir: string
  /**
   * Exact `host` or `host:port` entries that downloads and hooks may reach even if they are private. The service's own
   * address is always allowed, because it serves the portraits.
   */
  readonly allowedPrivateHosts: readonly string[]
  /** Closed with the service. Default: the face-swap engine. */
  readonly engine?: SwapEngine
  readonly log?: Log
  readonly clock?: Clock
  /** Submits are refused with 499 at this number of unfinished jobs. Default 100. */
  readonly maxWaiting?: number
  /** Lifetime of a `discordImage` link. Default one day. */
  readonly linkLifetimeS?: number
  /** Per image. Default 15 s. */
  readonly downloadTimeoutMs?: number
  /** Per image. Default MAX_IMAGE_BYTES. */
  readonly maxImageBytes?: number
  /** Per hook attempt. Default 10 s. */
  readonly hookTimeoutMs?: number
}

export interface SwapFace {
  /** `http://<host>:<port>`. */
  readonly url: string
  /** Does not wait for unfinished jobs; they resume at the next start. */
  close(): Promise<void>
}

/**
 * Resolves when the service accepts requests; it has then resumed the unfinished jobs and pending hooks of an earlier
 * process.
 * @throws if the port is taken or `dataDir` cannot be used. Nothing is left open.
 */
export async function openSwapFace(options: SwapFaceOptions): Promise<SwapFace> {
  const { host, port, apiKey, engine = openSwapEngine(), clock = systemClock, log = () => undefined } = options
  const { maxWaiting = 100, linkLifetimeS = 86_400, downloadTimeoutMs = 15_000 } = options
  const { maxImageBytes = MAX_IMAGE_BYTES, hookTimeoutMs = 10_000 } = options
  const closers = createClosers()
  try {
    closers.add(() => engine.close())
    const dir = join(options.dataDir, 'swapface')
    await mkdir(options.dataDir, { recursive: true })
    // The database contains hook addresses, which are secrets of the callers.
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await mkdir(join(dir, 'results'), { recursive: true })
    const links = createResultLinks(await readOrCreateLinkSecret(join(dir, 'link-secret')), linkLifetimeS, KEPT_DAYS)
    const store = createResultStore(join(dir, 'results'))
    const table = openJobTable(join(dir, 'jobs.db'))
    closers.add(() => table.close())

    const server = await openRestServer(host, port, log)
    closers.add(() => server.close())
    const { url } = server

    const guard = createAddressGuard({ allowedHosts: [...options.allowedPrivateHosts, url.slice('http://'.length)] })
    const dispatcher = new Agent({
      // One request per connection, so that none stays open to a third party's host.
      pipelining: 0,
      connect: createGuardedConnector(guard, (lookup) => buildConnector({ lookup, timeout: 10_000 })),
    })
    closers.add(() => dispatcher.destroy())

    const toDocument = (job: Job) => toJobDocument(job, url)
    const hooks = openHookSender({ table, toDocument, guard, dispatcher, timeoutMs: hookTimeoutMs, clock, log })
    closers.add(() => hooks.close())
    const download = createDownload({ guard, dispatcher, maxBytes: maxImageBytes, timeoutMs: downloadTimeoutMs })
    const queue = openQueue({ table, download, engine, links, store, onFinished: () => hooks.wake(), clock, log })
    closers.add(() => queue.close())

    server.serve([
      ...createSwapApi({ apiKey, table, toDocument, maxWaiting, onSubmitted: () => queue.wake(), clock, log }),
      ...createResultRoutes(links, store, clock),
      ...createPortraitRoutes(url),
    ])
    const sweeper = openSweeper(table, store, KEPT_DAYS, clock, log)
    closers.add(() => sweeper.close())
    queue.wake()
    hooks.wake()
    log({ event: 'listening', url })
    return { url, close: () => closers.closeAll() }
  } catch (error) {
    await closers.closeAll()
    throw error
  }
}
