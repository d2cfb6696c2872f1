/** What many stored jobs cost: the same calls on two gateways side by side, one with 100 of them and one with 100,000. */
import { throughSideDoor } from '../support/side-door.ts'
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

/** Copies one finished job, with its timeline, until there are `count`. */
async function seed({ databaseUrl }: Rig, count: number): Promise<void> {
  await throughSideDoor(databaseUrl, async ({ query, exec }) => {
    const copy = async (table: string, changed: Readonly<Record<string, string>>) => {
      const [row = {}] = (await query(`select * from ${table} limit 1`)) as object[]
      const columns = Object.keys(row)
      await exec(`insert into ${table} (${columns.join()}) with recursive n(n) as (
        select 1 union all select n + 1 from n where n < ${count}) select ${columns.map((name) => changed[name] ?? name).join()}
        from n, ${table}`)
    }
    // Written as both engines read it: a negative start is from the end in one of them only.
    const id = `'job_seed' || substr('0000000000000000000000' || n, length('' || n) + 1)`
    await exec('begin')
    await copy('jobs', { id, upstream_id: `'SWAP-FACE-SEED-' || n`, change_seq: 'change_seq + n' })
    // What is there already is the one job that was copied, and its copies have no timeline yet.
    await copy('job_timeline', { job_id: id })
    await exec('commit')
  })
}

async function openWith(count: number): Promise<{ readonly rig: Rig; readonly readyAfterMs: number }> {
  const rig = await openRig({ clockFactor: 1, watches: false, settings: { MAX_IN_FLIGHT: '5000', LOG_LEVEL: 'warn' } })
  try {
    await rig.callers.wish()
    await rig.settle()
    await rig.gateway.kill()
    await seed(rig, count)
    rig.upstream.scriptJobs(() => ({}))
    const { readyAfterMs } = await rig.start()
    return { rig, readyAfterMs }
  } catch (error) {
    await rig.close()
    throw error
  }
}

async function timeCreate({ callers }: Rig): Promise<number> {
  const wish = callers.newWish()
  const from = performance.now()
  const answer = await callers.ask(wish)
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

/** Measures with `stored` jobs against 100. */
export async function measureScale(stored: number): Promise<Scale> {
  const few = await openWith(FEW)
  try {
    const many = await openWith(stored)
    try {
      const medians: Scale['medians'][number][] = []
      const idOf = (count: number, n: number) => `job_seed${String(1 + ((n * 7_919) % count)).padStart(22, '0')}`
      const calls = [
        { call: 'swapJob', time: (rig: Rig, n: number) => timeRead(rig, idOf(rig === few.rig ? FEW : stored, n)) },
        { call: 'createSwap', time: (rig: Rig) => timeCreate(rig) },
      ]
      for (const { call, time } of calls) {
        const fewMs: number[] = []
        const manyMs: number[] = []
        // In turn, so that whatever else the machine does hits both; the first tenth warms up.
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

/** As lines of Markdown. */
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
