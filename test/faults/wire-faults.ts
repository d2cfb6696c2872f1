/** Faults of the connection to the upstream, and of the upstream's fetch. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Answer } from '../support/fake-upstream.ts'
import type { WireFault } from '../support/fault-proxy.ts'
import { until } from '../support/until.ts'
import type { Gateway } from './gateway-process.ts'
import { GOOD, type Rig, withRig, withSharedRig } from './rig.ts'
import { type Scenario, toResult } from './scenario.ts'
import { checkMemory, recoveries, SLOW, UNREADABLE } from './submit-faults.ts'

/** Waits for `ms` of the program's clock: the length of an outage is part of the fault. */
export const holdFor = (rig: Rig<Gateway>, ms: number) => delay(ms / rig.clockFactor)

/** Measures the milliseconds until the rig has settled; empty if it does not settle. */
export async function settleAndTime(rig: Rig<Gateway>, timeoutMs?: number): Promise<number[]> {
  const from = performance.now()
  return (await rig.settle(timeoutMs)) ? [performance.now() - from] : []
}

const WIRE: readonly { readonly name: string; readonly fault: WireFault; readonly patienceMs?: number }[] = [
  { name: 'connection refused', fault: { kind: 'refuse' } },
  { name: 'connection reset at once', fault: { kind: 'reset' } },
  { name: 'reset after send', fault: { kind: 'resetAfterSend' } },
  {
    name: 'half-open: accepts TCP, never responds',
    fault: { kind: 'blackHole', direction: 'both' },
    patienceMs: 1_000,
  },
  { name: 'responses are dropped', fault: { kind: 'blackHole', direction: 'toClient' }, patienceMs: 1_000 },
  { name: 'responses at 500 bytes per second', fault: { kind: 'throttle', bytesPerSecond: 500 } },
  { name: 'responses cut off after 40 bytes', fault: { kind: 'cutAfter', bytes: 40 } },
]

const OUTAGE_MS = 30_000

const wireScenarios = WIRE.map(({ name, fault, patienceMs = 15_000 }): Scenario => ({
  name,
  times: { short: 1, long: 10 },
  run: (times) =>
    withSharedRig({ patienceMs, settings: { UNCONFIRMED_DEADLINE_S: '160' } }, async (rig) => {
      const recoveriesMs: number[] = []
      for (let round = 0; round < times; round += 1) {
        // Some submits are in progress when the outage begins.
        rig.requestSwaps(2)
        await until(() => rig.upstream.submits > 0)
        await rig.proxy.fail(fault)
        rig.requestSwaps(3)
        await holdFor(rig, OUTAGE_MS)
        await rig.proxy.heal()
        recoveriesMs.push(...(await settleAndTime(rig)))
      }
      return toResult(await rig.check(), { injected: times, recoveriesMs })
    }),
}))

const staleKeepAlive: Scenario = {
  name: 'stale keep-alive: idle connections closed at random moments',
  times: { short: 10, long: 200 },
  run: (times) =>
    withSharedRig({}, async (rig) => {
      for (let n = 0; n < times; n += 1) {
        rig.requestSwaps(1)
        await delay(Math.random() * 30)
        rig.proxy.closeIdle()
      }
      await rig.settle()
      // Each submit has its own connection. A submit in progress at the cut may become UNCONFIRMED.
      return toResult(await rig.check(), { injected: times, recoveriesMs: recoveries(rig) })
    }),
}

const dns: Scenario = {
  name: 'DNS failure',
  times: { short: 1, long: 5 },
  run: (times) =>
    withSharedRig({}, async (rig) => {
      const recoveriesMs: number[] = []
      for (let round = 0; round < times; round += 1) {
        // Stopped, not killed: a job killed in the middle of its submit cannot be distinguished from one that was sent.
        await rig.gateway.stop()
        await rig.start({ upstreamUrl: `http://nowhere.invalid:${rig.proxy.port}` })
        rig.requestSwaps(4)
        await until(() => rig.callers.swaps.slice(-4).every(({ jobIds }) => jobIds.length > 0))
        await rig.gateway.stop()
        await rig.start()
        recoveriesMs.push(...(await settleAndTime(rig)))
      }
      const sent = rig.upstream.ledger.length
      return toResult(
        await rig.check(),
        { injected: times, recoveriesMs },
        sent !== times * 4 && `${sent} submits for ${times * 4} swaps`,
      )
    }),
}

const isSlow = ({ manner }: Answer) => manner?.kind === 'hang' || manner?.kind === 'drip'

const fetchScenarios = [...UNREADABLE, ...SLOW].map(({ name, answer, ownProcess }): Scenario => ({
  name: `${name} on fetch`,
  // A fetch times out after ten seconds of the wall clock.
  times: { short: isSlow(answer) ? 0 : 2, long: 20 },
  run: (times) =>
    (ownProcess ? withRig : withSharedRig)({}, async (rig: Rig<Gateway>) => {
      const asked = new Map<string, number>()
      rig.upstream.failFetches((id) => {
        const before = asked.get(id) ?? 0
        asked.set(id, before + 1)
        return before < (isSlow(answer) ? 1 : 3) ? answer : null
      })
      rig.requestSwaps(times)
      await rig.settle(60_000)
      const injected = [...asked.values()].reduce((sum, n) => sum + Math.min(n, isSlow(answer) ? 1 : 3), 0)
      const notDone = rig.callers.swaps.filter(({ doneAs }) => doneAs !== 'SUCCESS').length
      return toResult(
        await rig.check(),
        { injected, recoveriesMs: recoveries(rig) },
        checkMemory(rig, injected),
        notDone > 0 && `${notDone} of ${times} did not end as SUCCESS`,
      )
    }),
}))

const fetchLags: Scenario = {
  name: 'fetch lags behind the hook',
  times: { short: 3, long: 50 },
  run: (times) =>
    withSharedRig({}, async (rig) => {
      // The gateway learns the ids of half of the jobs only from their hooks.
      rig.upstream.scriptJobs((_, n) => ({
        ...GOOD,
        hooks: { copies: 1 },
        lagFetches: 1 + (n % 5),
        ...(n % 2 === 0 && { submit: { kind: 'acceptAndReset' } }),
      }))
      rig.requestSwaps(times)
      await rig.settle()
      return toResult(await rig.check(), { injected: times, recoveriesMs: recoveries(rig) })
    }),
}

const fetchDown: Scenario = {
  name: 'fetch unavailable while hooks arrive',
  times: { short: 1, long: 10 },
  run: (times) =>
    withSharedRig({}, async (rig) => {
      const recoveriesMs: number[] = []
      rig.upstream.scriptJobs((_, n) => ({
        ...GOOD,
        hooks: { copies: 1 },
        ...(n % 2 === 0 && { submit: { kind: 'acceptAndReset' } }),
      }))
      for (let round = 0; round < times; round += 1) {
        rig.upstream.failFetches(() => ({ status: 503, body: '<html>down</html>' }))
        rig.requestSwaps(4)
        await until(() => rig.upstream.hooks.filter(({ status }) => status === 200).length >= (round + 1) * 4)
        await holdFor(rig, OUTAGE_MS)
        rig.upstream.failFetches(null)
        recoveriesMs.push(...(await settleAndTime(rig)))
      }
      return toResult(await rig.check(), { injected: times, recoveriesMs })
    }),
}

const downForAMinute: Scenario = {
  name: 'upstream down for a minute',
  times: { short: 1, long: 10 },
  run: (times) =>
    // Every swap must be sent. At the usual speed a busy machine may take longer to record a refused connection than a
    // submit's timeout.
    withSharedRig({ clockFactor: 10 }, async (rig) => {
      const recoveriesMs: number[] = []
      for (let round = 0; round < times; round += 1) {
        rig.upstream.scriptJobs(() => ({ ...GOOD, states: [{ afterMs: 500, state: { status: 'SUCCESS' } }] }))
        rig.requestSwaps(5)
        await until(() => rig.upstream.accepted.length >= round * 10 + 5)
        await rig.proxy.fail({ kind: 'refuse' })
        rig.requestSwaps(5)
        await holdFor(rig, 60_000)
        await rig.proxy.heal()
        recoveriesMs.push(...(await settleAndTime(rig)))
      }
      const sent = rig.upstream.ledger.length
      return toResult(
        await rig.check(),
        { injected: times, recoveriesMs },
        sent !== times * 10 && `${sent} submits for ${times * 10} swaps`,
      )
    }),
}

const gone: Scenario = {
  name: 'upstream down permanently',
  times: { short: 1, long: 3 },
  run: (times) =>
    withSharedRig(
      // At its deadline a job waits up to ten minutes for the response to one more fetch.
      {
        clockFactor: 100,
        settings: { ON_QUEUE_DEADLINE_S: '60', SUBMIT_BEFORE_S: '60', UNCONFIRMED_DEADLINE_S: '60' },
      },
      async (rig) => {
        const recoveriesMs: number[] = []
        for (let round = 0; round < times; round += 1) {
          rig.upstream.scriptJobs((_, n) => (n % 2 === 0 ? { submit: { kind: 'acceptAndReset' } } : {}))
          rig.requestSwaps(4)
          await until(() => rig.callers.swaps.slice(-4).every(({ jobIds }) => jobIds.length > 0))
          await rig.proxy.fail({ kind: 'refuse' })
          rig.requestSwaps(3)
          recoveriesMs.push(...(await settleAndTime(rig)))
          await rig.proxy.heal()
        }
        const note = 'until the deadline of every job: 60 s, plus ten minutes of grace for the last poll'
        return toResult(
          await rig.check(),
          { injected: times, recoveriesMs, note },
          recoveriesMs.length < times && 'not every job has ended',
        )
      },
    ),
}

const oneIdForTwo: Scenario = {
  name: 'upstream assigns one id to two jobs',
  times: { short: 1, long: 10 },
  run: (times) =>
    withSharedRig({ settings: { UNCONFIRMED_DEADLINE_S: '60' } }, async (rig) => {
      // The upstream assigns the first job's id to the second as well, so one of each pair can no longer be fetched.
      rig.upstream.scriptJobs((_, n) => ({ ...GOOD, id: `SWAP-FACE-TWICE-${Math.floor(n / 2)}`, hooks: { copies: 1 } }))
      for (let round = 0; round < times; round += 1) {
        await rig.callers.requestSwap()
        rig.requestSwaps(1)
        await rig.settle()
      }
      const verdict = await rig.check()
      return toResult(
        // The upstream, not the gateway, loses one job per pair: without its own id it cannot be fetched.
        { ...verdict, lost: verdict.lost.slice(times) },
        {
          injected: times,
          recoveriesMs: [],
          note: "the second of each pair is unconfirmed, then LOST: never the first one's result",
        },
      )
    }),
}

export const wireFaults: readonly Scenario[] = [
  ...fetchScenarios,
  ...wireScenarios,
  staleKeepAlive,
  dns,
  fetchLags,
  fetchDown,
  downForAMinute,
  gone,
  oneIdForTwo,
]
