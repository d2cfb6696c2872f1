/**
 * The metrics of one gateway: business events are counted when they happen, the state is read for each scrape.
 */
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { Telemetry } from '../events.ts'
import { countEvents } from './count-events.ts'
import { createInstruments } from './instruments.ts'
import { StateGauges, type StateSources } from './state-gauges.ts'

/** The labels of `swapface_build_info`. */
export interface Build {
  readonly version: string
  readonly database: 'sqlite' | 'postgres'
  readonly upstream: 'embedded' | 'remote'
}

export interface Metrics {
  readonly telemetry: Telemetry
  /** The metrics of the gateway and of its process. */
  readonly registry: Registry
  /** Reports the state from now on. Before, only events are reported. */
  observe(sources: StateSources): void
  /** Reads the state and writes all metrics as Prometheus text. Concurrent calls share one text. */
  render(): Promise<string>
}

/** Metrics of the process. All gateways in it share them: each registry would observe the garbage collector again. */
let processRegistry: Registry | null = null

/** @param now epoch milliseconds, of the clock that the events' times are from. */
export function createMetrics({ version, database, upstream }: Build, now: () => number): Metrics {
  const own = new Registry()
  const instruments = createInstruments(own)
  instruments.build.set({ version, node: process.version, database, upstream }, 1)
  const registry = Registry.merge([own, (processRegistry ??= openProcessRegistry())])
  let gauges: StateGauges | null = null
  let rendering: Promise<string> | null = null
  const render = async () => {
    await gauges?.update()
    return registry.metrics()
  }
  return {
    telemetry: countEvents(instruments, now),
    registry,
    observe: (sources) => {
      gauges = new StateGauges(instruments, sources)
    },
    render: async () =>
      (rendering ??= render().finally(() => {
        rendering = null
      })),
  }
}

/** Gauges with the suffix of a counter, which Prometheus' check rejects; the metrics by type have the same figures. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

function openProcessRegistry(): Registry {
  const register = new Registry()
  collectDefaultMetrics({ register })
  for (const name of MISNAMED) register.removeSingleMetric(name)
  return register
}
