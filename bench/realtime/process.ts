/** A server under measurement: its own process, its CPU and its memory as the kernel tells them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

export interface MeasuredProcess {
  readonly url: string
  /** Milliseconds of CPU since the start, of all its threads. */
  cpuMs(): number
  /** The same account to a microsecond, for what is short: the process itself is asked for it. */
  cpuUs(): Promise<number>
  /** Collects garbage now, so that what follows is not charged for what was before. */
  collect(): Promise<unknown>
  /** After it has collected what it can. */
  memory(): Promise<Memory>
  /** The most bytes that were resident since the last call, or the start. */
  takePeak(): number
  /** Begins to watch how late its event loop is. */
  watchLoop(): Promise<void>
  readLoop(): Promise<LoopLag>
  readonly isAlive: () => boolean
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

/** In bytes. */
export interface Memory {
  readonly resident: number
  /** What objects hold; the rest is code, buffers, and pages that V8 keeps for later. */
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

/** What the kernel's account of a process says: its own ticks, and those of its children that have ended. */
function readTicks(stat: string): { readonly own: number; readonly ofChildren: number } {
  const fields = (stat.split(') ')[1]?.split(' ') ?? []).map(Number)
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11)
  return { own: user + system, ofChildren: childrenUser + childrenSystem }
}

/** Milliseconds of CPU of a process so far, of all its threads. */
export function cpuMsOf(pid: number | undefined): number {
  return readTicks(readFileSync(`/proc/${pid}/stat`, 'utf8')).own * TICK_MS
}

/** Milliseconds of CPU of those processes that this one has started and that have ended. */
export function cpuMsOfEndedChildren(): number {
  return readTicks(readFileSync('/proc/self/stat', 'utf8')).ofChildren * TICK_MS
}

/** Milliseconds of CPU of every process of this machine with that name so far, including those that have ended. */
export function cpuMsOfAll(name: string): number {
  let ticks = 0
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const { own, ofChildren } = readTicks(stat)
      if (stat.includes(`(${name})`)) ticks += own + ofChildren
    } catch {
      // It ended as we looked.
    }
  }
  return ticks * TICK_MS
}

/** Milliseconds of CPU of a process and its children so far, including those that have ended. */
export function cpuMsOfFamily(parent: number): number {
  let ticks = 0
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const { own, ofChildren } = readTicks(stat)
      if (Number(pid) === parent) ticks += own + ofChildren
      else if (parentOf(stat) === parent) ticks += own
    } catch {
      // It has ended meanwhile.
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

/** The address that a server prints once it takes connections. @throws where it ends before that. */
export async function readAddress(child: ChildProcess, file: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text = text.slice(-10_000) + chunk
      const ready = /http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0]
      if (ready !== undefined) resolve(ready)
    })
    child.once('exit', (code, signal) => reject(new Error(`${file} ended (${code ?? signal}):\n${text}`)))
  })
}

/**
 * @param file what Node runs as it is: a loader's own cost is not ours to measure. Once it takes connections it prints
 * its address.
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
