/**
 * The noisy tenant: runs one load (`loads.ts`) from `start` to `stop`. It has the lowest priority, because on a
 * separate machine it would take no CPU from the gateway. Arguments: the gateway's address, concurrent requests, and
 * requests per minute (0: no limit).
 */
import { setPriority } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { handleMessages, readMember } from './child.ts'
import type { NoisyFigures } from './operations.ts'
import { createLoads } from './loads.ts'
import { createClient } from './tenants.ts'

const LOWEST_PRIORITY = 19

setPriority(LOWEST_PRIORITY)
const [url = '', atOnce = '', perMinute = ''] = process.argv.slice(2)
const loads = await createLoads(createClient(url, 'noisy'), url)
let stopLast = async (): Promise<NoisyFigures> => ({ requests: 0, refused: 0, cpuMs: 0 })

const start = (name: string): typeof stopLast => {
  const load = loads[name]
  if (!load) throw new Error(`no load ${name}`)
  const cpu = process.cpuUsage()
  const stopping = new AbortController()
  let [requests, refused, nextAt] = [0, 0, performance.now()]
  const pace = async () => {
    if (perMinute === '0') return
    nextAt = Math.max(nextAt, performance.now()) + 60_000 / Number(perMinute)
    await delay(nextAt - performance.now())
  }
  const repeat = async () => {
    while (!stopping.signal.aborted) {
      await pace()
      requests += 1
      if (!(await load(stopping.signal))) refused += 1
    }
  }
  const work = Array.from({ length: Number(atOnce) }, repeat)
  return async () => {
    const { user, system } = process.cpuUsage(cpu)
    const figures = { requests, refused, cpuMs: (user + system) / 1_000 }
    stopping.abort()
    await Promise.all(work)
    return figures
  }
}

handleMessages(async (message) => {
  const name = readMember(message, 'start')
  if (typeof name !== 'string') return stopLast()
  stopLast = start(name)
  return {}
})
