/**
 * The rig of one scenario: a fake upstream, a fault proxy in front of it, consecutive gateway processes on one
 * data folder and port, callers, and the checker of the recorded history.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClosers } from '../../src/lib/async/closers.ts'
import { type FakeUpstream, type JobScript, openFakeUpstream } from '../support/fake-upstream.ts'
import { type FaultProxy, openFaultProxy } from '../support/fault-proxy.ts'
import { checkHistory, countUnfinished, readStore, readUpstream, type Verdict } from '../support/history.ts'
import { findDatabase } from '../support/raw-database.ts'
import { until } from '../support/until.ts'
import { type Callers, createCallers } from './callers.ts'
import type { Result } from './scenario.ts'
import {
  CANARIES,
  findFreePort,
  type Gateway,
  type GatewayOptions,
  type GatewayProcess,
  openSharedGateway,
  startGateway,
} from './gateway-process.ts'

export interface RigOptions {
  readonly settings?: Readonly<Record<string, string>>
  readonly clockFactor?: number
  /** Default: a new temporary folder. A given folder is not removed after the run. */
  readonly dataDir?: string
  readonly upstreamUrl?: string
  readonly watches?: boolean
  readonly patienceMs?: number
  /** Whether callers set a `hookUrl`: the upstream's `/webhooks`. */
  readonly hasHook?: boolean
  /** The callers' API key, if the settings list keys. */
  readonly apiKey?: string
}

/** A rig whose gateways have a process of their own, unless `G` says otherwise. */
export interface Rig<G extends Gateway = GatewayProcess> {
  readonly upstream: FakeUpstream
  readonly proxy: FaultProxy
  readonly callers: Callers
  readonly dataDir: string
  readonly databaseUrl: string
  readonly clockFactor: number
  /** The gateway that was started last. */
  readonly gateway: G
  /** Starts another gateway on the same data, port and clock. */
  start(change?: StartChange): Promise<G>
  /** Requests `count` swaps at once. */
  requestSwaps(count: number): void
  /** Waits until all requested swaps have ended and every stored job is done; false after the timeout. */
  settle(timeoutMs?: number): Promise<boolean>
  /** Checks the records of callers, gateway and upstream against each other. */
  check(isSettled?: boolean): Promise<Verdict>
  close(): Promise<void>
}

export interface StartChange {
  readonly faultAt?: string
  readonly upstreamUrl?: string
  readonly port?: number
  /** Required for a second live process: a data folder has one owner. */
  readonly dataDir?: string
  readonly settings?: Readonly<Record<string, string>>
}

export const DEFAULT_FACTOR = 20
/** For a busy machine; alone, most settle within a second. */
const SETTLE_WITHIN_MS = 60_000

/** On PostgreSQL the fetch rate limiter uses the database's clock, which does not run fast. */
export const UNPACED = { FETCH_PER_SECOND: '1000' } as const

/** A swap that succeeds quickly; the upstream sends its hook until it is acknowledged. */
export const GOOD: JobScript = {
  states: [{ afterMs: 100, state: { status: 'SUCCESS' } }],
  hooks: { copies: 1, untilDelivered: true },
}

/** Opens a rig for a fault that kills, stops or measures the process. */
export const openRig = (options: RigOptions = {}): Promise<Rig> => openRigOf(startGateway, options)

/** Opens a rig for any other fault. These share one process, because loading the program takes longest. */
export const openSharedRig = (options: RigOptions = {}): Promise<Rig<Gateway>> => openRigOf(openSharedGateway, options)

async function openRigOf<G extends Gateway>(
  openGateway: (options: GatewayOptions) => Promise<G>,
  options: RigOptions,
): Promise<Rig<G>> {
  const closers = createClosers()
  try {
    const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'swapface-faults-')))
    if (options.dataDir === undefined) closers.add(() => rm(dataDir, { recursive: true, force: true }))
    const database = await findDatabase(dataDir)
    closers.add(() => database.drop())
    const databaseUrl = options.settings?.['DATABASE_URL'] ?? database.url
    const upstream = await openFakeUpstream(CANARIES.upstreamKey)
    upstream.scriptJobs(() => GOOD)
    const proxy = await openFaultProxy(upstream.port)
    closers.add(() => proxy.close())
    const port = await findFreePort()
    const clockOrigin = Date.now()
    const clockFactor = options.clockFactor ?? DEFAULT_FACTOR
    const gateways: G[] = []
    closers.add(async () => {
      await Promise.all(gateways.filter(({ isAlive }) => isAlive).map((gateway) => gateway.kill()))
    })
    closers.add(() => upstream.close())

    const start = async (change: StartChange = {}) => {
      const gateway = await openGateway({
        port: change.port ?? port,
        dataDir: change.dataDir ?? dataDir,
        upstreamUrl: change.upstreamUrl ?? options.upstreamUrl ?? proxy.url,
        clockFactor,
        clockOrigin,
        settings: {
          MAX_IN_FLIGHT: '50',
          // Longer than a start on a busy machine, which takes minutes of the program's clock. Scenarios that wait
          // for the deadline shorten it.
          UNCONFIRMED_DEADLINE_S: '400',
          DATABASE_URL: databaseUrl,
          PUBLIC_URL: `http://127.0.0.1:${port}`,
          ALLOWED_PRIVATE_HOSTS: `127.0.0.1:${upstream.port}`,
          ...options.settings,
          ...change.settings,
        },
        ...(change.faultAt !== undefined && { faultAt: change.faultAt }),
      })
      gateways.push(gateway)
      return gateway
    }
    const current = () => {
      const gateway = gateways.at(-1)
      if (!gateway) throw new TypeError('no gateway was started')
      return gateway
    }
    await start()
    const callers = createCallers({
      url: () => current().url,
      watches: options.watches ?? true,
      patienceMs: options.patienceMs ?? 15_000,
      ...(options.apiKey !== undefined && { apiKey: options.apiKey }),
      ...(options.hasHook && { hookUrl: `${upstream.url}/webhooks` }),
    })
    closers.add(() => callers.close())

    return {
      upstream,
      proxy,
      callers,
      dataDir,
      databaseUrl,
      clockFactor,
      get gateway() {
        return current()
      },
      start,
      requestSwaps: (count) => {
        for (let n = 0; n < count; n += 1) void callers.requestSwap()
      },
      settle: async (timeoutMs = SETTLE_WITHIN_MS) => {
        const until0 = performance.now() + timeoutMs
        if (!(await callers.untilEnded(timeoutMs))) return false
        const left = Math.max(100, until0 - performance.now())
        return until(async () => (await countUnfinished(databaseUrl)) === 0, { timeoutMs: left, everyMs: 50 }).catch(
          () => false,
        )
      },
      check: async (isSettled = true) =>
        checkHistory({
          ...readUpstream(upstream),
          hooks: upstream.hooks.map((hook) => ({ ...hook, at: clockOrigin + (hook.at - clockOrigin) * clockFactor })),
          ...(await readStore(databaseUrl)),
          intents: callers.swaps,
          sightings: callers.sightings,
          outlets: [
            ...callers.outlets,
            ...gateways.map((gateway) => ({ kind: 'log' as const, text: gateway.output() })),
          ],
          secrets: [CANARIES.upstreamKey, CANARIES.gatewaySecret, 'canary-signed-url', 'canary-upstream-text'],
          isSettled,
        }),
      close: () => closers.closeAll(),
    }
  } catch (error) {
    await closers.closeAll()
    throw error
  }
}

/** Opens a rig for one scenario and closes it, even if the scenario fails. */
export const withRig = (options: RigOptions, work: (rig: Rig) => Promise<Result>): Promise<Result> =>
  use(openRig(options), work)

/** Does the same for a scenario that neither kills nor stops nor measures its process. */
export const withSharedRig = (options: RigOptions, work: (rig: Rig<Gateway>) => Promise<Result>): Promise<Result> =>
  use(openSharedRig(options), work)

async function use<R extends Rig<Gateway>>(opening: Promise<R>, work: (rig: R) => Promise<Result>): Promise<Result> {
  const rig = await opening
  try {
    return await work(rig)
  } finally {
    await rig.close()
  }
}
