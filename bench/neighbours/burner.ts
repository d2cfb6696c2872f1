/** The control load: uses a given share of CPU without calling the gateway. */
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { handleMessages, readMember } from './child.ts'

const PERIOD_MS = 20
/** Share of a core per thread, in thousandths. */
const shared = new Int32Array(new SharedArrayBuffer(8))

const from = new URL('burn.mjs', import.meta.url)
const threads = [0, 1].map((n) => new Worker(from, { workerData: { shared, n, periodMs: PERIOD_MS } }))
handleMessages(async (message) => {
  const cores = Number(readMember(message, 'cores'))
  for (const n of threads.keys()) Atomics.store(shared, n, Math.round(1_000 * Math.min(1, Math.max(0, cores - n))))
  await delay(PERIOD_MS)
  return {}
})
