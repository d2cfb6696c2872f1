/** kill -9 at every fault point, under load. */
import { FAULT_POINTS, type FaultPoint } from '../../src/lib/fault-points.ts'
import type { HookPolicy, JobScript } from '../support/fake-upstream.ts'
import { until } from '../support/until.ts'
import type { RequestedSwap } from './callers.ts'
import { openRig, type Rig } from './rig.ts'
import { type Scenario, toResult } from './scenario.ts'

/** Up to this many repetitions, a run does not wait for the deadlines of jobs that were never sent. */
const SHORT = 2
const DIES_WITHIN_MS = 4_000
const MAX_TRIES = 6
const RECOVERS_WITHIN_MS = 20_000

const between = (from: number, to: number) => from + Math.floor(Math.random() * (to - from + 1))
const chance = (share: number) => Math.random() < share

/** Picks a random script for a job. Most hooks are sent until delivered, so that a lost job is the gateway's fault. */
function randomScript(point: FaultPoint, { proxy }: Pick<Rig, 'proxy'>): JobScript {
  const hooks: HookPolicy = { copies: between(1, 2), untilDelivered: true, ...(chance(0.2) && { beforeAnswer: true }) }
  const hasToWait = chance(point === 'resubmit-claimed' ? 0.8 : 0.15)
  // For the fault in a copy, results must have an address that can be copied.
  const success = {
    status: 'SUCCESS',
    ...(point === 'image-put' && { links: { cdnImage: `${proxy.url}/results/x.png` } }),
  } as const
  return {
    states: [{ afterMs: between(0, 150), state: chance(0.15) ? { status: 'FAILED' } : success }],
    ...(chance(0.9) && { hooks }),
    ...(chance(0.2) && { lagFetches: 1 }),
    ...(hasToWait
      ? { submit: { kind: 'answer', status: 429, body: '{"status":"FAILED"}' } }
      : chance(0.5) && {
          submit: { kind: 'acceptAfter', until: () => until(() => true, { everyMs: between(1, 60) }) },
        }),
  }
}

/**
 * Scripts the jobs at random. The upstream accepts the retry of a refused submit.
 * @returns the target images of the requested swaps whose hooks are certain to be delivered.
 */
function scriptRandomly(rig: Rig, point: FaultPoint): ReadonlySet<string> {
  const { upstream } = rig
  const refused = new Set<string>()
  const called = new Set<string>()
  upstream.scriptJobs(({ targetImage }) => {
    const script = randomScript(point, rig)
    if (script.submit?.kind === 'answer' && !refused.has(targetImage)) {
      refused.add(targetImage)
      return script
    }
    if (script.hooks) called.add(targetImage)
    const { submit, ...taken } = script
    return submit?.kind === 'answer' ? taken : script
  })
  return called
}

/** Finds the requested swaps whose callers must see the end: the upstream accepted them, and their hooks are certain. */
function findCertain({ callers, upstream }: Rig, from: number, called: ReadonlySet<string>): readonly RequestedSwap[] {
  const taken = new Set(upstream.accepted.map(({ targetImage }) => targetImage))
  return callers.swaps.slice(from).filter(({ targetImage }) => taken.has(targetImage) && called.has(targetImage))
}

async function killOnce(rig: Rig, point: FaultPoint): Promise<boolean> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    // The fault point is armed before the load or during it, for its first pass or a later one.
    const isEarly = chance(0.5)
    if (isEarly) await rig.gateway.arm(`${point}@${tries === 0 ? between(1, 6) : 1}`)
    rig.requestSwaps(between(3, 8))
    if (!isEarly) {
      const before = rig.upstream.submits
      await until(() => rig.upstream.submits > before || !rig.gateway.isAlive).catch(() => undefined)
      await rig.gateway.arm(`${point}@${tries === 0 ? between(1, 3) : 1}`)
      rig.requestSwaps(between(1, 4))
    }
    const hasDied = await until(() => !rig.gateway.isAlive, { timeoutMs: DIES_WITHIN_MS }).catch(() => false)
    if (hasDied) return true
  }
  return false
}

/** Finds an event that was delivered again with other bytes. */
function findChangedEvent({ upstream }: Rig): string | false {
  const bodies = new Map<string, string>()
  for (const { id, body } of upstream.webhooks) {
    if ((bodies.get(id) ?? body) !== body) return `the event ${id} came with other bytes`
    bodies.set(id, body)
  }
  return false
}

const killAt = (point: FaultPoint): Scenario => ({
  name: `kill -9 at ${point}`,
  times: { short: 1, long: 50 },
  run: async (times) => {
    // Twice the usual speed: only a deadline ends a job that was recorded and never sent.
    const rig = await openRig({
      clockFactor: 40,
      hasHook: point === 'webhook-answered',
      settings: { UNCONFIRMED_DEADLINE_S: '800', MAX_IN_FLIGHT: '6' },
    })
    try {
      const called = scriptRandomly(rig, point)
      const recoveriesMs: number[] = []
      for (let round = 0; round < times; round += 1) {
        const from = rig.callers.swaps.length
        if (!(await killOnce(rig, point))) break
        const killedAt = performance.now()
        await rig.start()
        const isRecovered = await until(() => findCertain(rig, from, called).every(({ doneAt }) => doneAt !== null), {
          timeoutMs: RECOVERS_WITHIN_MS,
        }).catch(() => false)
        if (isRecovered) recoveriesMs.push(performance.now() - killedAt)
      }
      const isLong = times > SHORT
      // The check reads jobs and the callers' events at different moments, so nothing may change in between.
      await (isLong ? rig.settle(90_000) : rig.gateway.kill())
      const { length } = recoveriesMs
      return toResult(
        await rig.check(isLong),
        { injected: length, recoveriesMs },
        length < times && `the process died there and recovered in only ${length} of ${times} rounds`,
        findChangedEvent(rig),
      )
    } finally {
      await rig.close()
    }
  },
})

export const killFaults: readonly Scenario[] = FAULT_POINTS.map(killAt)
