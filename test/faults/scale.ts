/** Compares call durations on two gateways side by side: one with 100 stored jobs, one with many. */
import { seededId, seedJobs } from '../support/seed-jobs.ts'
import { openRig, type Rig } from './rig.ts'

export interface Scale {
  readonly stored: number
  readonly readyAfterMs: number
  /** Medians with few and with many stored jobs. */
  readonly medians: readonly { readonly call: string; readonly fewMs: number; readonly manyMs: number }[]
}

export const READY_WITHIN_MS = 3_000
const FEW = 100
const CALLS = 200

async function openWith(count: number): Promise<{ readonly rig: Rig; readonly readyAfterMs: number }> {
  const rig = await openRig({ clockFactor: 1, watches: false, settings: { MAX_IN_FLIGHT: '5000', LOG_LEVEL: 'warn' } })
  try {
    await rig.callers.requestSwap()
    await rig.settle()
    await rig.gateway.kill()
    await seedJobs(rig.databaseUrl, count)
    rig.upstream.scriptJobs(() => ({}))
    const { readyAfterMs } = await rig.start()
    return { rig, readyAfterMs }
  } catch (error) {
    await rig.close()
    throw error
  }
}

async function timeCreate({ callers }: Rig): Promise<number> {
  const swap = callers.newSwap()
  const from = performance.now()
  const answer = await callers.createSwap(swap)
  if (answer.kind !== 'job') throw new Error(`no job: ${JSON.stringify(answer)}`)
  return performance.now() - from
}

async function timeRead({ gateway }: Rig, id: string): Promise<number> {
  const from = performance.now()
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: `{ swapJob(id: "${id}") { id status version timeline { status } } }` }),
  })
  const text = await response.text()
  if (!text.includes(id)) throw new Error(`no job: ${text.slice(0, 300)}`)
  return performance.now() - from
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/** Measures a gateway with `stored` jobs against one with 100. */
export async function measureScale(stored: number): Promise<Scale> {
  const few = await openWith(FEW)
  try {
    const many = await openWith(stored)
    try {
      const medians: Scale['medians'][number][] = []
      const idOf = (count: number, n: number) => seededId(1 + ((n * 7_919) % count))
      const calls = [
        { call: 'swapJob', time: (rig: Rig, n: number) => timeRead(rig, idOf(rig === few.rig ? FEW : stored, n)) },
        { call: 'createSwap', time: (rig: Rig) => timeCreate(rig) },
      ]
      for (const { call, time } of calls) {
        const fewMs: number[] = []
        const manyMs: number[] = []
        // Alternating calls expose both gateways to the same machine load. The first tenth warms up.
        for (let n = 0; n < CALLS * 1.1; n += 1) {
          const pair = [await time(few.rig, n), await time(many.rig, n)] as const
          if (n < CALLS / 10) continue
          fewMs.push(pair[0])
          manyMs.push(pair[1])
        }
        medians.push({ call, fewMs: median(fewMs), manyMs: median(manyMs) })
      }
      return { stored, readyAfterMs: many.readyAfterMs, medians }
    } finally {
      await many.rig.close()
    }
  } finally {
    await few.rig.close()
  }
}

/** Returns the figures as lines of Markdown. */
export function describeScale({ stored, readyAfterMs, medians }: Scale): string {
  const rows = medians.map(
    ({ call, fewMs, manyMs }) =>
      `| ${call} | ${fewMs.toFixed(2)} ms | ${manyMs.toFixed(2)} ms | ${(manyMs / fewMs).toFixed(2)} |`,
  )
  return [
    `Ready ${(readyAfterMs / 1_000).toFixed(2)} s after the start with ${stored} stored jobs (at most ${READY_WITHIN_MS / 1_000} s).`,
    '',
    `| call | median with ${FEW} stored | with ${stored} | ratio |`,
    '|---|--:|--:|--:|',
    ...rows,
  ].join('\n')
}
