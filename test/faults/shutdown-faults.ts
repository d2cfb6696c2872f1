/** A process that receives SIGTERM finishes its submits first. */
import { once } from 'node:events'
import { withRawDatabase } from '../support/raw-database.ts'
import { until } from '../support/until.ts'
import type { Gateway } from './gateway-process.ts'
import { type Rig, withRig } from './rig.ts'
import { type Scenario, toResult } from './scenario.ts'
import { settleAndTime } from './wire-faults.ts'

/** Reads the status of /readyz on a new connection; null if the gateway accepts none any more. */
async function readReadiness({ url }: Gateway): Promise<number | null> {
  try {
    const response = await fetch(`${url}/readyz`, { headers: { connection: 'close' } })
    await response.arrayBuffer()
    return response.status
  } catch {
    return null
  }
}

/** Stops the process while its submits have no response, requests one more swap meanwhile, and returns complaints. */
async function stopInSubmit(rig: Rig, release: () => void): Promise<(string | false)[]> {
  const { gateway } = rig
  const before = rig.upstream.accepted.length
  rig.requestSwaps(2)
  await until(() => rig.upstream.accepted.length === before + 2)
  const held = rig.callers.swaps.slice(-2)
  gateway.signal('SIGTERM')
  await until(async () => (await readReadiness(gateway)) !== 200)
  const isServing = (await readReadiness(gateway)) === 503
  rig.upstream.scriptJobs(() => ({}))
  const answer = await rig.callers.createSwap(rig.callers.newSwap())
  await until(async () => (await readReadiness(gateway)) === null)
  const isWaiting = gateway.isAlive && held.every(({ jobIds }) => jobIds.length === 0)
  release()
  await gateway.ended
  await until(() => held.every(({ jobIds }) => jobIds.length > 0), { timeoutMs: 1_000 }).catch(() => null)
  const queued = `select id from jobs where status = 'ON_QUEUE'`
  const recorded = (await withRawDatabase(rig.databaseUrl, async (database) => database.query(queued))).length
  return [
    !isServing && '/readyz was not 503 before connections were refused',
    answer.kind !== 'job' && `the response to a swap during the readiness phase was ${JSON.stringify(answer)}`,
    !isWaiting && 'the process did not wait for its submits',
    held.some(({ jobIds }) => jobIds.length === 0) && 'a caller whose submit was in progress got no response',
    recorded !== 3 && `${recorded} of 3 submits were recorded`,
  ]
}

const drain: Scenario = {
  name: 'SIGTERM during a slow submit',
  times: { short: 1, long: 10 },
  run: (times) =>
    // A submit times out after 33 s of the program's clock.
    withRig({ clockFactor: 4, settings: { DRAIN_READY_S: '12' } }, async (rig) => {
      const recoveriesMs: number[] = []
      const complaints: (string | false)[] = []
      for (let round = 0; round < times; round += 1) {
        const release = new AbortController()
        const held = once(release.signal, 'abort')
        rig.upstream.scriptJobs(() => ({ submit: { kind: 'acceptAfter', until: () => held } }))
        complaints.push(...(await stopInSubmit(rig, () => release.abort())))
        const jobs = rig.upstream.accepted.slice(-3)
        for (const job of jobs) job.state = { status: 'SUCCESS' }
        await rig.start()
        await Promise.all(jobs.map(async (job) => rig.upstream.sendHook(job)))
        recoveriesMs.push(...(await settleAndTime(rig)))
      }
      const sent = rig.upstream.ledger.length
      return toResult(
        await rig.check(),
        { injected: times, recoveriesMs },
        ...complaints,
        sent !== times * 3 && `${sent} submits for ${times * 3} swaps`,
      )
    }),
}

export const shutdownFaults: readonly Scenario[] = [drain]
