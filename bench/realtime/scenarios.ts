/** Scenarios of `bench/realtime.ts` by name. */
import type { Section } from '../http/table.ts'
import type { Wire } from './contest.ts'
import { fanOut } from './fan-out.ts'
import { openSocketLine, openStreamLine } from './lines.ts'
import { measureMemory } from './memory.ts'
import { ownJob } from './own-job.ts'
import { measureHooks } from './hooks.ts'
import { missed, paused, reconnect } from './promises.ts'
import { measureStartUp } from './start-up.ts'

const SOCKETS: Wire = {
  openLine: openSocketLine,
  limit: 'realtime/limits/bare-sockets',
  peers: ['Yoga (defaults)', 'Apollo 5 (Fastify)', 'Mercurius + JIT'],
}
/** Yoga is the only peer with SSE. */
const STREAMS: Wire = { openLine: openStreamLine, limit: 'realtime/limits/bare-streams', peers: ['Yoga (defaults)'] }

/** The number in the scenario's name, unless `BENCH_WATCHERS` overrides it. */
const watchers = (count: number) => Number(process.env['BENCH_WATCHERS'] ?? count)

export const scenarios: Readonly<Record<string, (name: string) => Promise<Section>>> = {
  'fan-out-1k': async (name) => fanOut(name, watchers(1_000), SOCKETS),
  'fan-out-5k': async (name) => fanOut(name, watchers(5_000), SOCKETS),
  'fan-out-10k': async (name) => fanOut(name, watchers(10_000), SOCKETS),
  'sse-1k': async (name) => fanOut(name, watchers(1_000), STREAMS),
  'own-job-10k': async (name) => ownJob(name, watchers(10_000), SOCKETS),
  memory: async (name) => measureMemory(name, watchers(5_000), SOCKETS),
  hooks: measureHooks,
  'start-up': measureStartUp,
  paused,
  missed,
  reconnect,
}
