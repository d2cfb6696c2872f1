import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { until } from '../support/until.ts'

/** Secrets that are looked for wherever the program writes or answers. */
export const CANARIES = {
  upstreamKey: 'canary-upstream-key-5b1f',
  gatewaySecret: 'canary-gateway-secret-9c27',
} as const

export interface GatewayOptions {
  readonly port: number
  readonly dataDir: string
  readonly upstreamUrl: string
  /** How many seconds of the program's clock pass in one. */
  readonly clockFactor: number
  /** Since when its clock runs faster; the same for all processes of one run. */
  readonly clockOrigin: number
  readonly settings?: Readonly<Record<string, string>>
  readonly faultAt?: string
}

/** One gateway process. */
export interface GatewayProcess {
  readonly url: string
  readonly pid: number
  /** From the start of the process to "ready". */
  readonly readyAfterMs: number
  readonly isAlive: boolean
  /** The most memory it has held so far, in MB; null where the system does not say. */
  peakMemoryMb(): number | null
  /** Everything it has written. */
  output(): string
  /** Arms a fault point from now on. */
  arm(spec: string): Promise<void>
  /** Resolves when the process has ended, by whatever cause. */
  readonly ended: Promise<void>
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void
  /** SIGTERM, and its end. */
  stop(): Promise<void>
  /** kill -9. */
  kill(): Promise<void>
}

/** Where `test/support/build.ts` puts the program that is started here. */
export const FAULT_PROGRAM = { folder: 'dist-test', name: 'program' } as const

const PROGRAM = resolve(FAULT_PROGRAM.folder, `${FAULT_PROGRAM.name}.js`)

const READY_WITHIN_MS = 60_000
const children = new Set<ChildProcess>()

/** Starts the program and waits until it says that it is ready. */
export async function startGateway(options: GatewayOptions): Promise<GatewayProcess> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, [PROGRAM], {
    env: {
      PATH: process.env['PATH'],
      PORT: String(options.port),
      DATA_DIR: options.dataDir,
      TTAPI_KEY: CANARIES.upstreamKey,
      TTAPI_URL: options.upstreamUrl,
      GATEWAY_SECRET: CANARIES.gatewaySecret,
      GRAPHIQL: 'off',
      TENANT_REQUESTS_PER_MINUTE: '1000000',
      LOG_LEVEL: 'debug',
      CLOCK_FACTOR: String(options.clockFactor),
      CLOCK_ORIGIN: String(options.clockOrigin),
      ...options.settings,
      ...(options.faultAt && { FAULT_AT: options.faultAt }),
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  children.add(child)
  const chunks: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => chunks.push(text))
  }
  let isAlive = true
  const ended = (async () => {
    await once(child, 'exit')
    isAlive = false
    children.delete(child)
  })()
  const url = await until(
    () => {
      if (!isAlive) throw new Error(`the gateway ended:\n${chunks.join('')}`)
      return /^\{"ready":"([^"]+)"\}$/m.exec(chunks.join(''))?.[1]
    },
    { timeoutMs: READY_WITHIN_MS, everyMs: 10 },
  ).catch((error: unknown) => {
    child.kill('SIGKILL')
    throw error
  })
  const readyAfterMs = performance.now() - startedAt

  return {
    url,
    pid: child.pid ?? 0,
    readyAfterMs,
    get isAlive() {
      return isAlive
    },
    peakMemoryMb: () => {
      const status = `/proc/${child.pid}/status`
      const kb = existsSync(status) && /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(status, 'utf8'))?.[1]
      return kb ? Math.round(Number(kb) / 1_024) : null
    },
    output: () => chunks.join(''),
    arm: async (spec) => {
      const armed = once(child, 'message')
      child.send({ arm: spec }, () => {
        // A process that is dying already needs no arming.
      })
      await Promise.race([armed, ended])
    },
    ended,
    signal: (name) => {
      child.kill(name)
    },
    stop: async () => {
      child.kill('SIGTERM')
      await ended
    },
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Ends what is left, also after a failure. */
export async function killLeftGateways(): Promise<void> {
  await Promise.all(
    [...children].map(async (child) => {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    }),
  )
}

/** Below those that the system gives to outgoing connections: such a one could take the port between two starts. */
const PORTS = { from: 15_000, to: 32_000 }

/** A port that was free a moment ago: a gateway that starts again must be where its hook addresses say. */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to)
    const server = createServer()
    try {
      await once(server.listen(port, '127.0.0.1'), 'listening')
      await once(server.close(), 'close')
      return port
    } catch {
      // Somebody has it: another one.
    }
  }
}
