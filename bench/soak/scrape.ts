/** Reads the figures of a soak from the gateway's metrics and from its process. */
import type { BenchGateway } from '../realtime/gateway.ts'

export interface Sample {
  /** Since the start of the load. */
  readonly seconds: number
  /** After a garbage collection, in bytes. */
  readonly resident: number
  readonly heap: number
  readonly handles: number
  readonly fileDescriptors: number
  readonly sockets: number
  readonly subscriptions: number
  /** Changes of jobs since the start of the process: created, submitted, ended. */
  readonly changes: number
}

/** Sums the series of each metric in Prometheus' text format. */
export function sumSeries(text: string): ReadonlyMap<string, number> {
  const sums = new Map<string, number>()
  for (const [, name = '', value = ''] of text.matchAll(/^(\w+)(?:\{.*\})? (\S+)$/gm)) {
    sums.set(name, (sums.get(name) ?? 0) + Number(value))
  }
  return sums
}

export async function takeSample(gateway: BenchGateway, adminPort: number, seconds: number): Promise<Sample> {
  const { resident, heap } = await gateway.process.memory()
  const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`, { headers: { connection: 'close' } })
  const sums = sumSeries(await response.text())
  const read = (name: string) => {
    const value = sums.get(name)
    if (value === undefined) throw new Error(`the gateway has no metric ${name}`)
    return value
  }
  return {
    seconds,
    resident,
    heap,
    handles: read('nodejs_active_handles'),
    fileDescriptors: read('process_open_fds'),
    sockets: read('swapface_connections'),
    subscriptions: read('swapface_subscriptions'),
    // Has no series before the first transition.
    changes: read('swapface_jobs_created_total') + (sums.get('swapface_job_transitions_total') ?? 0),
  }
}
