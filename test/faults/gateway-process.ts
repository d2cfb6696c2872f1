import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { resolve } from 'node:path'

/** Planted secrets: they must not appear in any output or response of the program. */
export const CANARIES = {
  upstreamKey: 'canary-upstream-key-5b1f',
  gatewaySecret: 'canary-gateway-secret-9c27',
} as const

export interface GatewayOptions {
  readonly port: number
  readonly dataDir: string
  readonly upstreamUrl: string
  /** Seconds of the program's clock per second of the wall clock. */
  readonly clockFactor: number
  /** When the clock began to run fast, in epoch milliseconds; the same for all processes of one run. */
  readonly clockOrigin: number
  readonly settings?: Readonly<Record<string, string>>
  readonly faultAt?: string
}

/** One gateway, in its own process or in one with others. */
export interface Gateway {
  readonly url: string
  readonly isAlive: boolean
  /** Its log. */
  output(): string
  /** Drains the requests in progress, then closes the gateway. */
  stop(): Promise<void>
  /** Kills the gateway if it has its own process; otherwise the same as `stop`. */
  kill(): Promise<void>
}

/** One gateway in its own process. */
export interface GatewayProcess extends Gateway {
  readonly pid: number
  /** From the start of the process to "ready". */
  readonly readyAfterMs: number
  /** Peak memory until now, in MB; null if the system does not report it. */
  peakMemoryMb(): number | null
  /** Arms a fault point from now on. */
  arm(spec: string): Promise<void>
  /** Resolves when the process has ended, for any reason. */
  readonly ended: Promise<void>
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void
}

/** Whether a gateway has its own process. */
export function isProcess(gateway: Gateway): gateway is GatewayProcess {
  return 'pid' in gateway
}

/** A request of the run to the program; `id` is the run's number for one gateway. */
export type Request =
  | { readonly kind: 'open'; readonly id: number; readonly env: Readonly<Record<string, string>> }
  | { readonly kind: 'close'; readonly id: number }
  | { readonly kind: 'arm'; readonly id: number; readonly faultAt: string }

/** The program's response to one request. */
export interface Reply {
  readonly id: number
  readonly kind: Request['kind']
  readonly url?: string
  readonly problem?: string
}

/** Where `test/support/build.ts` writes the program that this file starts. */
export const FAULT_PROGRAM = { folder: 'dist-test', name: 'program' } as const

const PROGRAM = resolve(FAULT_PROGRAM.folder, `${FAULT_PROGRAM.name}.js`)

const children = new Set<ChildProcess>()
let nextId = 1

/** Starts the program; it opens a gateway only on request. */
function spawnProgram() {
  const child = spawn(process.execPath, [PROGRAM], {
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  children.add(child)
  // All scenarios that share this process may wait for its end at the same time.
  child.setMaxListeners(0)
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
  const waiting = new Map<string, (reply: Reply) => void>()
  child.on('message', (reply: Reply) => {
    waiting.get(`${reply.kind} ${reply.id}`)?.(reply)
  })

  return {
    child,
    ended,
    output: () => chunks.join(''),
    isAlive: () => isAlive,
    /** Resolves to the response; null if the process ends first. */
    ask: async (request: Request): Promise<Reply | null> => {
      const answered = new Promise<Reply>((settle) => waiting.set(`${request.kind} ${request.id}`, settle))
      child.send(request, () => {
        // A dying process does not respond.
      })
      return Promise.race([answered, ended.then(() => null)])
    },
  }
}

type Program = ReturnType<typeof spawnProgram>

/** Opens a gateway in a running program. */
async function openGateway(program: Program, options: GatewayOptions): Promise<{ id: number; url: string }> {
  const id = nextId
  nextId += 1
  const env = {
    PORT: String(options.port),
    ADMIN_PORT: '0',
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
  }
  const reply = await program.ask({ kind: 'open', id, env })
  if (reply?.url === undefined) throw new Error(`the gateway did not open: ${reply?.problem ?? program.output()}`)
  return { id, url: reply.url }
}

/** Starts a process with one gateway in it, and waits until it is ready. */
export async function startGateway(options: GatewayOptions): Promise<GatewayProcess> {
  const startedAt = performance.now()
  const program = spawnProgram()
  const { child, ended } = program
  const { id, url } = await openGateway(program, options).catch((error: unknown) => {
    child.kill('SIGKILL')
    throw error
  })
  const readyAfterMs = performance.now() - startedAt
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await ended
  }

  return {
    url,
    pid: child.pid ?? 0,
    readyAfterMs,
    get isAlive() {
      return program.isAlive()
    },
    peakMemoryMb: () => {
      const status = `/proc/${child.pid}/status`
      const kb = existsSync(status) && /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(status, 'utf8'))?.[1]
      return kb ? Math.round(Number(kb) / 1_024) : null
    },
    output: program.output,
    arm: async (faultAt) => {
      await program.ask({ kind: 'arm', id, faultAt })
    },
    ended,
    signal: (name) => {
      child.kill(name)
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  }
}

let shared: Program | null = null

/** Opens a gateway in the process that all callers of this function share. */
export async function openSharedGateway(options: GatewayOptions): Promise<Gateway> {
  if (!shared?.isAlive()) shared = spawnProgram()
  const program = shared
  const { id, url } = await openGateway(program, options)
  let closed: Promise<Reply | null> | null = null
  const close = async () => {
    closed ??= program.ask({ kind: 'close', id })
    const reply = await closed
    if (reply?.problem !== undefined) throw new Error(`the gateway did not close: ${reply.problem}`)
  }
  return {
    url,
    get isAlive() {
      return program.isAlive() && closed === null
    },
    output: () =>
      program
        .output()
        .split('\n')
        .filter((line) => line.includes(`"gateway":${id},`))
        .join('\n'),
    stop: close,
    kill: close,
  }
}

/** Kills the processes that are still running, also after a failure. */
export async function killLeftGateways(): Promise<void> {
  await Promise.all(
    [...children].map(async (child) => {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    }),
  )
}

/** Below the ephemeral ports: an outgoing connection could otherwise take the port between two starts. */
const PORTS = { from: 15_000, to: 32_000 }

/** Finds a free port. A restarted gateway must listen on the same port, because its hook addresses name it. */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to)
    const server = createServer()
    try {
      await once(server.listen(port, '127.0.0.1'), 'listening')
      await once(server.close(), 'close')
      return port
    } catch {
      // The port is in use: try another.
    }
  }
}
