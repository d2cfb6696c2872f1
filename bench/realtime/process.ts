/** A measured server: a separate process, with CPU and memory as reported by the kernel. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

export interface MeasuredProcess {
  readonly url: string
  /** CPU milliseconds since the start, of all threads. */
  cpuMs(): number
  /** CPU microseconds of all threads since the start, for short measurements; reported by the kernel's scheduler. */
  scheduledUs(): number
  /** CPU microseconds, for short measurements; reported by the process itself. */
  cpuUs(): Promise<number>
  /** Collects garbage now, so that it does not count for the next measurement. */
  collect(): Promise<unknown>
  /** Memory after a full garbage collection. */
  memory(): Promise<Memory>
  /** Returns the peak resident bytes since the last call, or the start. */
  takePeak(): number
  /** Starts measuring the event-loop delay. */
  watchLoop(): Promise<void>
  readLoop(): Promise<LoopLag>
  readonly isAlive: () => boolean
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

/** In bytes. */
export interface Memory {
  readonly resident: number
  /** Memory of objects; the rest is code, buffers, and pages that V8 keeps in reserve. */
  readonly heap: number
}

export interface LoopLag {
  readonly p99Ms: number
  readonly maxMs: number
  /** `maxMs`, but without the time in which other processes had the CPU; its other threads count. */
  readonly ownMaxMs: number
}

/** A clock tick of the kernel's accounting. */
const TICK_MS = 10

/** Reads a process's own CPU ticks and those of its ended children from its `stat`. */
function readTicks(stat: string): { readonly own: number; readonly ofChildren: number } {
  const fields = (stat.split(') ')[1]?.split(' ') ?? []).map(Number)
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11)
  return { own: user + system, ofChildren: childrenUser + childrenSystem }
}

/** Returns the CPU milliseconds of a process, of all threads. */
export function cpuMsOf(pid: number | undefined): number {
  return readTicks(readFileSync(`/proc/${pid}/stat`, 'utf8')).own * TICK_MS
}

/** Returns the CPU microseconds of a process's running threads. */
function scheduledUsOf(pid: number | undefined): number {
  return readdirSync(`/proc/${pid}/task`).reduce((total, task) => {
    const [ns] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')
    return total + Number(ns) / 1_000
  }, 0)
}

/** Returns the CPU milliseconds of this process's ended children. */
export function cpuMsOfEndedChildren(): number {
  return readTicks(readFileSync('/proc/self/stat', 'utf8')).ofChildren * TICK_MS
}

/** Returns the CPU milliseconds of all processes with that name on this machine, including ended ones. */
export function cpuMsOfAll(name: string): number {
  let ticks = 0
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const { own, ofChildren } = readTicks(stat)
      if (stat.includes(`(${name})`)) ticks += own + ofChildren
    } catch {
      // The process has ended meanwhile.
    }
  }
  return ticks * TICK_MS
}

/** Returns the CPU milliseconds of a process and its children, including ended ones. */
export function cpuMsOfFamily(parent: number): number {
  let ticks = 0
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const { own, ofChildren } = readTicks(stat)
      if (Number(pid) === parent) ticks += own + ofChildren
      else if (parentOf(stat) === parent) ticks += own
    } catch {
      // The child has ended meanwhile.
    }
  }
  return ticks * TICK_MS
}

export function findParent(pid: number): number {
  return parentOf(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}

function parentOf(stat: string): number {
  return Number(stat.split(') ')[1]?.split(' ')[1])
}

/** Returns the address that a server prints when it accepts connections. @throws if it exits before that. */
export async function readAddress(child: ChildProcess, file: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text = text.slice(-10_000) + chunk
      // In a log line of the gateway, or on a line of its own.
      const ready = /(?:"url":"|^[^{\n]*?)(http:\/\/127\.0\.0\.1:\d+)/m.exec(text)?.[1]
      if (ready !== undefined) resolve(ready)
    })
    child.once('exit', (code, signal) => reject(new Error(`${file} ended (${code ?? signal}):\n${text}`)))
  })
}

/**
 * @param file run by Node without a loader, whose cost must not be measured. It prints its address when it accepts
 * connections.
 */
export async function startProcess(file: string, env: Readonly<Record<string, string>>): Promise<MeasuredProcess> {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--expose-gc', '--import', './bench/realtime/measured.mjs', file],
    {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    },
  )
  let isAlive = true
  const ended = (async () => {
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    isAlive = false
    return `${file} has ended (${code ?? signal})`
  })()
  const url = await readAddress(child, file)
  const read = (name: string) => readFileSync(`/proc/${child.pid}/${name}`, 'utf8')
  const ask = async (question: string): Promise<unknown> => {
    const answered = once(child, 'message')
    child.send(question)
    const heard = (await Promise.race([answered, ended])) as unknown
    if (typeof heard === 'string') throw new Error(heard)
    const [answer] = heard as unknown[]
    return answer
  }
  return {
    url,
    watchLoop: async () => {
      await ask('watchLoop')
    },
    readLoop: async () => (await ask('readLoop')) as LoopLag,
    cpuMs: () => cpuMsOf(child.pid),
    scheduledUs: () => scheduledUsOf(child.pid),
    cpuUs: async () => ((await ask('cpu')) as { readonly us: number }).us,
    collect: async () => ask('collect'),
    memory: async () => {
      const { heapBytes } = (await ask('memory')) as { readonly heapBytes: number }
      return { resident: Number(/^VmRSS:\s+(\d+) kB$/m.exec(read('status'))?.[1]) * 1_024, heap: heapBytes }
    },
    takePeak: () => {
      const peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(read('status'))?.[1]) * 1_024
      // Resets the kernel's high-water mark (proc(5)).
      writeFileSync(`/proc/${child.pid}/clear_refs`, '5')
      return peak
    },
    isAlive: () => isAlive,
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal)
      await ended
    },
  }
}
