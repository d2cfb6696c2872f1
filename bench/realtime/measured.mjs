/** Loaded into a measured process: answers what only the process itself knows, and ends with the run. */
import { monitorEventLoopDelay } from 'node:perf_hooks'

const RESOLUTION_MS = 5
const lag = monitorEventLoopDelay({ resolution: RESOLUTION_MS })

/**
 * How late a timer of this process came at most, no more of it counted than the process has used of the CPU meanwhile:
 * what it was late by because of its own work, and not because other processes had the CPU.
 */
let ownMaxMs = 0
/** @type {NodeJS.Timeout | undefined} */
let watching
const watchOwn = () => {
  ownMaxMs = 0
  clearTimeout(watching)
  let [at, cpu] = [performance.now(), process.cpuUsage()]
  const look = () => {
    const { user, system } = process.cpuUsage(cpu)
    const lateMs = performance.now() - at - RESOLUTION_MS
    ownMaxMs = Math.max(ownMaxMs, Math.min(lateMs, (user + system) / 1_000))
    at = performance.now()
    cpu = process.cpuUsage()
    watching = setTimeout(look, RESOLUTION_MS).unref()
  }
  watching = setTimeout(look, RESOLUTION_MS).unref()
}

/** @type {Record<string, () => object>} */
const answers = {
  /** What is garbage now is not collected while something is measured. */
  collect: () => {
    globalThis.gc?.()
    return {}
  },
  /** All garbage is gone, and the pages that it was on, so that memory is what is held. */
  memory: () => {
    for (let n = 0; n < 3; n += 1) globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    return { heapBytes: process.memoryUsage().heapUsed }
  },
  cpu: () => {
    const { user, system } = process.cpuUsage()
    return { us: user + system }
  },
  watchLoop: () => {
    lag.reset()
    lag.enable()
    watchOwn()
    return {}
  },
  /** How much later than asked for a timer came: milliseconds, since `watchLoop`. */
  readLoop: () => ({
    p99Ms: lag.percentile(99) / 1e6 - RESOLUTION_MS,
    maxMs: lag.max / 1e6 - RESOLUTION_MS,
    ownMaxMs,
  }),
}

process.on('message', (message) => {
  if (typeof message === 'string') process.send?.(answers[message]?.() ?? {})
})
process.on('disconnect', () => process.exit())
