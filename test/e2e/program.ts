import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { until } from '../support/until.ts'

export interface LogLine {
  readonly level: number
  readonly msg: string
  readonly [name: string]: unknown
}

/** @throws if a line is not JSON. */
export function parseLines(output: string): readonly LogLine[] {
  const complete = output.split('\n').slice(0, -1)
  return complete.map((line) => JSON.parse(line) as LogLine)
}

/** The built program as a separate process. */
export interface Program {
  readonly url: string
  readonly upstreamUrl: string
  /** Returns everything that it has printed. */
  output(): string
  /** Returns its log lines so far, parsed. */
  lines(): readonly LogLine[]
  /** Returns the line that says that it is ready. */
  readyLine(): LogLine & { readonly example: { readonly start: string; readonly watch: string } }
  /** Milliseconds from the start to "ready". */
  readonly readyAfterMs: number
  /** Sends a signal without waiting. */
  signal(name: NodeJS.Signals): void
  /** Kills the process, as a crash would. */
  kill(): Promise<void>
  /** Resolves to the exit code when the process ends; null if a signal ended it. */
  ended(): Promise<number | null>
  /** Stops the process gracefully; resolves to its exit code. */
  stop(): Promise<number | null>
}

export interface ProgramOptions {
  readonly dataDir: string
  readonly port: number
  readonly upstreamPort: number
  readonly env?: Record<string, string>
}

const programs = new Set<ChildProcess>()

/** Starts `node dist/main.js` and waits until it says that it is ready. */
export async function startProgram({ dataDir, port, upstreamPort, env = {} }: ProgramOptions): Promise<Program> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, ['dist/main.js'], {
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      LOCAL_UPSTREAM_PORT: String(upstreamPort),
      ADMIN_PORT: '0',
      DATA_DIR: dataDir,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  programs.add(child)
  let output = ''
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString()
  })
  child.stderr.on('data', (data: Buffer) => {
    output += data.toString()
  })
  const exited = once(child, 'exit').finally(() => programs.delete(child))
  await until(() => {
    if (child.exitCode !== null) throw new Error(`the program ended:\n${output}`)
    return /is ready.*\n/.test(output)
  })
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await exited
    return child.exitCode
  }
  return {
    url: `http://127.0.0.1:${port}`,
    upstreamUrl: `http://127.0.0.1:${upstreamPort}`,
    output: () => output,
    lines: () => parseLines(output),
    readyLine: () => {
      const line = parseLines(output).find(({ msg }) => msg.includes('is ready'))
      if (!line) throw new Error('the program is not ready')
      return line as ReturnType<Program['readyLine']>
    },
    readyAfterMs: performance.now() - startedAt,
    signal: (name) => {
      child.kill(name)
    },
    kill: async () => {
      await end('SIGKILL')
    },
    ended: async () => {
      await exited
      return child.exitCode
    },
    stop: () => end('SIGTERM'),
  }
}

export interface FailedStart {
  readonly code: number | null
  readonly output: string
  /** The lines on standard error. */
  readonly lines: readonly string[]
}

export interface RunOptions {
  readonly args?: readonly string[]
  readonly cwd?: string
  /** Once it returns true, the program receives SIGTERM. */
  readonly stopOnce?: () => boolean
}

/** Runs the program with only `env` set, and waits until it ends. */
export async function runProgram(
  env: Record<string, string | undefined>,
  { args = [], cwd = '.', stopOnce }: RunOptions = {},
): Promise<FailedStart> {
  const child = spawn(process.execPath, [resolve('dist/main.js'), ...args], {
    cwd,
    env: { PATH: process.env['PATH'], ADMIN_PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  programs.add(child)
  let output = ''
  let errors = ''
  child.stderr.on('data', (data: Buffer) => {
    errors += data.toString()
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data: Buffer) => {
      output += data.toString()
    })
  }
  const closed = once(child, 'close')
  if (stopOnce) {
    await until(stopOnce)
    child.kill('SIGTERM')
  }
  await closed
  programs.delete(child)
  return { code: child.exitCode, output, lines: errors.trim().split('\n') }
}

/** Kills the processes that a failed test has left running. */
export function killLeftPrograms(): void {
  for (const child of programs) child.kill('SIGKILL')
}

/** Finds two free ports. */
export async function findFreePorts(): Promise<{ port: number; upstreamPort: number }> {
  const servers = [createServer(), createServer()]
  const ports = await Promise.all(
    servers.map(async (server) => {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const address = server.address()
      return typeof address === 'object' && address ? address.port : 0
    }),
  )
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  const [port = 0, upstreamPort = 0] = ports
  return { port, upstreamPort }
}
