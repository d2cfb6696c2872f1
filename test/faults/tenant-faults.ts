/** Faults caused by one busy tenant, with swaps of another tenant at the same time. */
import type { AcceptedJob } from '../support/fake-upstream.ts'
import { sha256 } from '../../src/lib/crypto/sha256.ts'
import { until } from '../support/until.ts'
import { askGraphql } from './ask-graphql.ts'
import type { Gateway } from './gateway-process.ts'
import { GOOD, type Rig, UNPACED, withSharedRig } from './rig.ts'
import { type Scenario, toResult } from './scenario.ts'

const MAX_IN_FLIGHT = 10
/** How many jobs of one tenant may wait if there are several tenants: half of the limit. */
const MAX_WAITING = 500
const BATCH = 100

const KEYS = { many: 'key-of-many', few: 'key-of-few' } as const
const API_KEYS = Object.entries(KEYS).map(([tenant, key]) => `${tenant}:${sha256(key)}`)

const CREATE = `mutation ($items: [CreateSwapInput!]!) {
  createSwapBatch(input: { items: $items }) {
    ... on CreateSwapBatchSuccess { items { kind: __typename ... on SwapError { code } } }
  }
}`

/** Requests `count` swaps of the busy tenant. @returns how many were recorded, and how many were BUSY. */
async function queueMany({ gateway }: Rig<Gateway>, count: number) {
  const swapImage = { url: 'https://example.com/face.jpg' }
  const inputs = Array.from({ length: count }, (_, n) => ({
    targetImage: { url: `https://example.com/many/${n}.jpg` },
    swapImage,
  }))
  let recorded = 0
  let busy = 0
  for (let from = 0; from < count; from += BATCH) {
    const items = inputs.slice(from, from + BATCH)
    const { data } = await askGraphql(gateway, CREATE, { items }, { 'x-api-key': KEYS.many })
    for (const { kind, code } of data?.createSwapBatch.items ?? []) {
      if (kind === 'CreateSwapSuccess') recorded += 1
      else if (code === 'BUSY') busy += 1
    }
  }
  return { recorded, busy }
}

/** Long enough that all swaps of the busy tenant are sent in time, also on a busy machine. */
const PATIENT = { SUBMIT_BEFORE_S: '100000' } as const

const OWN = 3

const queueOfOne: Scenario = {
  name: "one tenant's queue of up to 1,000 swaps does not delay another tenant's swaps",
  times: { short: 50, long: 1_000 },
  run: (times) => {
    const settings = { ...UNPACED, ...PATIENT, API_KEYS: API_KEYS.join(','), MAX_IN_FLIGHT: String(MAX_IN_FLIGHT) }
    return withSharedRig({ apiKey: KEYS.few, settings }, async (rig) => {
      const { upstream, callers } = rig
      // No job ends until both tenants have requested all their swaps.
      upstream.scriptJobs(() => ({}))
      const { recorded, busy } = await queueMany(rig, times)
      rig.requestSwaps(OWN)
      await until(() => callers.swaps.every(({ jobIds }) => jobIds.length > 0))
      upstream.scriptJobs(() => GOOD)
      const from = Date.now()
      const held = [...upstream.accepted]
      const end = async (jobs: readonly AcceptedJob[]) => {
        for (const job of jobs) job.state = { status: 'SUCCESS' }
        await Promise.all(jobs.map(async (job) => upstream.sendHook(job)))
      }
      // The other tenant has nothing in flight, so it gets each slot that becomes free.
      await end(held.slice(0, OWN))
      await until(() => upstream.ledger.length >= held.length + OWN)
      await end(held.slice(OWN))
      await rig.settle(60_000)
      const own = new Set(callers.swaps.map(({ targetImage }) => targetImage))
      const next = upstream.ledger.slice(held.length, held.length + OWN)
      const passedOver = next.filter(({ targetImage }) => !own.has(targetImage)).length
      const due = Math.min(times, MAX_WAITING + MAX_IN_FLIGHT)
      return toResult(
        await rig.check(),
        {
          injected: recorded + busy,
          recoveriesMs: callers.swaps.flatMap(({ doneAt }) => (doneAt === null ? [] : [doneAt - from])),
          note: `${recorded} were recorded, ${busy} were BUSY; recovery: the swaps of the other tenant`,
        },
        held.length !== MAX_IN_FLIGHT && `${held.length} swaps were sent at first, not ${MAX_IN_FLIGHT}`,
        (recorded !== due || busy !== times - due) && `${recorded} were recorded and ${busy} BUSY, not ${due}`,
        passedOver > 0 && `${passedOver} swaps of the busy tenant were submitted before those of the other tenant`,
        callers.swaps.some(({ doneAs }) => doneAs !== 'SUCCESS') && 'a swap of the other tenant did not succeed',
      )
    })
  },
}

export const tenantFaults: readonly Scenario[] = [queueOfOne]
