/** Faults of hooks: too many, too early, forged, foreign, contradictory, or lost. */
import { Pool } from 'undici'
import type { AcceptedJob } from '../support/fake-upstream.ts'
import { until } from '../support/until.ts'
import type { Gateway } from './gateway-process.ts'
import { GOOD, type Rig, withSharedRig } from './rig.ts'
import { type Scenario, toResult } from './scenario.ts'
import { recoveries } from './submit-faults.ts'
import { settleAndTime } from './wire-faults.ts'

const SENDERS = 64

/** Posts to the paths as fast as possible or at a rate; returns the number of responses by status, and the rate. */
async function flood(rig: Rig<Gateway>, paths: readonly string[], perSecond = Infinity) {
  const pool = new Pool(rig.gateway.url, { connections: SENDERS })
  const statuses: Record<number, number> = {}
  const from = performance.now()
  let sent = 0
  const sendNext = async () => {
    for (let n = sent; n < paths.length; n = sent) {
      sent += 1
      const dueAt = from + (n / perSecond) * 1_000
      if (performance.now() < dueAt) await until(() => performance.now() >= dueAt, { everyMs: 1 })
      const { statusCode, body } = await pool.request({
        method: 'POST',
        path: paths[n] ?? '/',
        headers: { 'content-type': 'application/json' },
        body: '{"status":"SUCCESS","jobId":"SWAP-FACE-000000000000000000"}',
      })
      await body.dump()
      statuses[statusCode] = (statuses[statusCode] ?? 0) + 1
    }
  }
  try {
    await Promise.all(Array.from({ length: SENDERS }, sendNext))
  } finally {
    await pool.destroy()
  }
  return { statuses, perSecond: Math.round(paths.length / ((performance.now() - from) / 1_000)) }
}

const pathOf = (url: string) => new URL(url).pathname

const duplicates: Scenario = {
  name: '1,000 duplicate hooks',
  times: { short: 1, long: 5 },
  run: (times) =>
    withSharedRig({}, async (rig) => {
      rig.upstream.scriptJobs(() => ({ ...GOOD, hooks: { copies: 1_000 } }))
      for (let n = 0; n < times; n += 1) {
        await rig.callers.requestSwap()
        await until(() => rig.upstream.hooks.length >= (n + 1) * 1_000)
      }
      await rig.settle()
      const most = Math.max(...rig.upstream.accepted.map(({ fetches }) => fetches))
      const refused = rig.upstream.hooks.filter(({ status }) => status !== 200).length
      return toResult(
        await rig.check(),
        { injected: times * 1_000, recoveriesMs: recoveries(rig) },
        most > 3 && `${most} fetches for one job`,
        refused > 0 && `${refused} hooks were not answered with 200`,
      )
    }),
}

const amongForeign: Scenario = {
  name: 'the right hook among hooks with foreign ids, after the response to the submit was lost',
  times: { short: 2, long: 100 },
  run: (times) =>
    withSharedRig({}, async (rig) => {
      const other = await acceptOne(rig)
      rig.upstream.scriptJobs(() => ({ submit: { kind: 'acceptAndReset' } }))
      const statuses: number[] = []
      const recoveriesMs: number[] = []
      for (let round = 0; round < times; round += 1) {
        rig.requestSwaps(1)
        const job = await until(() => rig.upstream.accepted[round + 1])
        job.state = { status: 'SUCCESS' }
        const ids = ['SWAP-FACE-1', other.id, job.id, 'SWAP-FACE-3']
        const bodies = ids.map((jobId) => JSON.stringify({ status: 'SUCCESS', jobId }))
        statuses.push(...(await Promise.all(bodies.map((body) => rig.upstream.sendHook(job, body)))))
        recoveriesMs.push(...(await settleAndTime(rig, 10_000)))
      }
      const refused = statuses.filter((status) => status !== 200).length
      return toResult(
        await rig.check(),
        { injected: times, recoveriesMs },
        refused > 0 && `${refused} hooks were not answered with 200`,
        recoveriesMs.length < times && `only ${recoveriesMs.length} of ${times} jobs found their hook`,
      )
    }),
}

/** Runs a swap that succeeds; returns the upstream's job. */
async function acceptOne(rig: Rig<Gateway>): Promise<AcceptedJob> {
  await rig.callers.requestSwap()
  const [job] = rig.upstream.accepted
  if (!job) throw new Error('the upstream accepted no job')
  return job
}

const forged: Scenario = {
  name: 'many forged hooks at once',
  times: { short: 1_000, long: 20_000 },
  run: (times) =>
    withSharedRig({}, async (rig) => {
      rig.upstream.scriptJobs(() => ({}))
      const held = rig.callers.newSwap()
      await rig.callers.createSwap(held)
      const [job] = rig.upstream.accepted
      if (!job) throw new Error('the upstream took no job')
      // The token names the job, and its last characters are wrong.
      const path = pathOf(job.hookUrl)
      const paths = Array.from({ length: times }, (_, n) => path.slice(0, -6) + String(n).padStart(6, '0'))
      const before = job.fetches
      const flooding = flood(rig, paths)
      // Another caller is served during the flood.
      rig.upstream.scriptJobs(() => GOOD)
      const swap = await rig.callers.requestSwap()
      const { statuses, perSecond } = await flooding
      const forgedFetches = job.fetches - before
      job.state = { status: 'SUCCESS' }
      await rig.settle()
      return toResult(
        await rig.check(),
        {
          injected: times,
          recoveriesMs: swap.doneAt === null ? [] : [swap.doneAt - swap.requestedAt],
          note: `${perSecond}/s, recovery: a swap meanwhile`,
        },
        statuses[404] !== times && `the statuses are ${JSON.stringify(statuses)}, not all 404`,
        forgedFetches > 20 && `${forgedFetches} fetches meanwhile`,
      )
    }),
}

const foreignId: Scenario = {
  name: 'hook with a valid token and a foreign job id',
  times: { short: 2, long: 20 },
  run: (times) =>
    withSharedRig({}, async (rig) => {
      const other = await acceptOne(rig)
      rig.upstream.scriptJobs(() => ({
        ...GOOD,
        submit: { kind: 'acceptAndReset' },
        hooks: { copies: 1, body: () => JSON.stringify({ status: 'SUCCESS', jobId: other.id }) },
      }))
      rig.requestSwaps(times)
      await until(() => rig.upstream.hooks.length > times && rig.upstream.hooks)
      await until(() => rig.gateway.output().includes('hook named an upstream job that does not belong to this job'))
      await Promise.all(rig.upstream.accepted.slice(1).map((job) => rig.upstream.sendHook(job)))
      await rig.settle()
      return toResult(
        await rig.check(),
        { injected: times, recoveriesMs: recoveries(rig) },
        rig.callers.swaps[0]?.doneAs !== 'SUCCESS' && 'the other job did not end as SUCCESS',
      )
    }),
}

const early: Scenario = {
  name: 'hook before the response to the submit',
  times: { short: 3, long: 50 },
  run: (times) =>
    withSharedRig({}, async (rig) => {
      rig.upstream.scriptJobs((_, n) => ({
        states: [{ afterMs: 0, state: { status: 'SUCCESS' } }],
        hooks: { copies: 1, beforeAnswer: true },
        ...(n % 2 === 0 && { submit: { kind: 'acceptAndReset' } }),
      }))
      rig.requestSwaps(times)
      await rig.settle()
      return toResult(await rig.check(), { injected: times, recoveriesMs: recoveries(rig) })
    }),
}

const lost: Scenario = {
  name: 'all hooks lost',
  times: { short: 3, long: 50 },
  run: (times) =>
    withSharedRig({}, async (rig) => {
      rig.upstream.scriptJobs(() => ({ states: [{ afterMs: 200, state: { status: 'SUCCESS' } }] }))
      rig.requestSwaps(times)
      await rig.settle()
      return toResult(await rig.check(), { injected: times, recoveriesMs: recoveries(rig) })
    }),
}

const failedThenSuccess: Scenario = {
  name: 'upstream changes FAILED to SUCCESS',
  times: { short: 3, long: 30 },
  run: (times) =>
    withSharedRig({ clockFactor: 2 }, async (rig) => {
      // The two states are less than half a second of the program's clock apart.
      rig.upstream.scriptJobs(() => ({
        states: [
          { afterMs: 100, state: { status: 'FAILED', message: 'see https://canary-upstream-text.example' } },
          { afterMs: 200, state: { status: 'SUCCESS' } },
        ],
        hooks: { copies: 1 },
      }))
      rig.requestSwaps(times)
      await rig.settle()
      return toResult(await rig.check(), { injected: times, recoveriesMs: recoveries(rig) })
    }),
}

const storm: Scenario = {
  name: 'hook storm',
  times: { short: 2_000, long: 20_000 },
  isAlone: true,
  run: (times) =>
    withSharedRig({ settings: { MAX_IN_FLIGHT: '500' } }, async (rig) => {
      rig.upstream.scriptJobs(() => ({}))
      rig.requestSwaps(200)
      await until(() => rig.upstream.accepted.length === 200, { timeoutMs: 20_000 })
      for (const job of rig.upstream.accepted) job.state = { status: 'SUCCESS' }
      const { accepted } = rig.upstream
      const paths = Array.from({ length: times }, (_, n) => pathOf(accepted[n % accepted.length]?.hookUrl ?? '/'))
      const from = performance.now()
      const { statuses, perSecond } = await flood(rig, paths, 2_000)
      const isSettled = await rig.settle()
      return toResult(
        await rig.check(),
        {
          injected: times,
          recoveriesMs: isSettled ? [performance.now() - from - (times / perSecond) * 1_000] : [],
          note: `${perSecond}/s sent and answered`,
        },
        statuses[200] !== times && `the statuses are ${JSON.stringify(statuses)}, not all 200`,
      )
    }),
}

export const hookFaults: readonly Scenario[] = [
  duplicates,
  amongForeign,
  forged,
  foreignId,
  early,
  lost,
  failedThenSuccess,
  storm,
]
