/** Preloaded into a measured process: reports figures that only the process has, and exits with the run. */
import { monitorEventLoopDelay } from 'node:perf_hooks'

const RESOLUTION_MS = 5
const lag = monitorEventLoopDelay({ resolution: RESOLUTION_MS })

/**
 * Maximum delay of a timer, each delay capped at the CPU time that the process used meanwhile: the delay caused by its
 * own work, not by other processes.
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
  /** Collects garbage now, so that it is not collected during the measurement. */
  collect: () => {
    globalThis.gc?.()
    return {}
  },
  /** Collects all garbage and frees its pages, so that memory is what is in use. */
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
  /** Returns timer delays since `watchLoop`, in milliseconds. */
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
