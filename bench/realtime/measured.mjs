/** Preloaded into a measured process: reports figures that only the process has, and exits with the run. */
import { Session } from 'node:inspector/promises'
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

/** @type {Record<string, () => object | Promise<object>>} */
const answers = {
  /** Collects garbage now, so that it is not collected during the measurement. */
  collect: () => {
    globalThis.gc?.()
    return {}
  },
  /** Collects all garbage and frees its pages, so that memory is what is in use. */
  memory: async () => {
    // Node 20 ignores the flavor of `gc`, and a usual collection leaves much of what is unreachable.
    const session = new Session()
    session.connect()
    await session.post('HeapProfiler.collectGarbage')
    session.disconnect()
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

/** @param {unknown} question */
async function answer(question) {
  if (typeof question === 'string') process.send?.((await answers[question]?.()) ?? {})
}

process.on('message', (message) => {
  void answer(message)
})
process.on('disconnect', () => process.exit())
