/** Answers to a submit that differ from the upstream's reference. */
import { gzipSync } from 'node:zlib'
import type { Answer, JobScript, SubmitPlan } from '../support/fake-upstream.ts'
import { withRawDatabase } from '../support/raw-database.ts'
import { until } from '../support/until.ts'
import { askGraphql } from './ask-graphql.ts'
import { type Gateway, isProcess } from './gateway-process.ts'
import { GOOD, type Rig, withRig, withSharedRig } from './rig.ts'
import { type Scenario, toResult } from './scenario.ts'

const json = (status: number, document: object): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(document),
})
const refusal = (status: number, message: string) => json(status, { status: 'FAILED', message, data: null })

const ID_ANSWER = JSON.stringify({ status: 'SUCCESS', message: '', data: { jobId: 'SWAP-FACE-1' } })
/** Unpacks to 64 MB. */
const BOMB = gzipSync(Buffer.alloc(64 * 1_024 * 1_024, ' '))

/** Definite refusals: an upstream that returns one of these responses has not accepted the submit. */
const REFUSALS: readonly { readonly name: string; readonly answer: Answer; readonly endsAs: string }[] = [
  {
    name: '429 on submit',
    answer: refusal(429, 'too many requests, see https://canary-upstream-text.example'),
    endsAs: 'SUCCESS',
  },
  { name: '499 on submit', answer: refusal(499, 'queue is full'), endsAs: 'SUCCESS' },
  { name: '400 "No available accounts"', answer: refusal(400, 'No available accounts'), endsAs: 'SUCCESS' },
  {
    name: '401 on submit',
    answer: json(401, { status: 'FAILED', message: 'see https://canary-upstream-text.example' }),
    endsAs: 'FAILED',
  },
  { name: '402 on submit', answer: refusal(402, 'not enough quota'), endsAs: 'FAILED' },
  {
    name: '403 on submit',
    answer: refusal(403, 'blocked, see https://canary-upstream-text.example'),
    endsAs: 'FAILED',
  },
  { name: '200 + FAILED on submit', answer: refusal(200, "'action' parameter error!"), endsAs: 'FAILED' },
]

export interface UnusableAnswer {
  readonly name: string
  readonly answer: Answer
  /** Set if the scenario measures the process, or must kill it because a call hangs. */
  readonly ownProcess?: true
}

/** Answers that leave it open whether a job exists; each is tested with an upstream that created one, and without. */
export const UNREADABLE: readonly UnusableAnswer[] = [
  { name: '500', answer: { status: 500, body: 'Internal Server Error: canary-upstream-text' } },
  { name: '502 with HTML', answer: { status: 502, body: '<html>Bad Gateway</html>' } },
  { name: 'garbage', answer: { status: 200, body: Buffer.from('00ff80c328a0a1e28281f8a1a1a1a1', 'hex') } },
  { name: 'HTML', answer: { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Welcome</html>' } },
  { name: 'truncated', answer: { ...json(200, {}), body: ID_ANSWER, manner: { kind: 'truncated', afterBytes: 30 } } },
  { name: 'truncated JSON, whole HTTP', answer: { ...json(200, {}), body: ID_ANSWER.slice(0, 30) } },
  { name: 'wrong content type', answer: { status: 200, headers: { 'content-type': 'image/png' }, body: 'PNG' } },
  {
    name: '1 GB response',
    answer: { status: 200, body: '{', manner: { kind: 'endless', bytes: 1_024 ** 3 } },
    ownProcess: true,
  },
  { name: 'gzip bomb', answer: { status: 200, headers: { 'content-encoding': 'gzip' }, body: BOMB }, ownProcess: true },
]

/** Answers that do not end before the lease expires. */
export const SLOW: readonly UnusableAnswer[] = [
  {
    name: 'slow-loris response',
    answer: { status: 200, body: ID_ANSWER, manner: { kind: 'drip', everyMs: 1_000 } },
    ownProcess: true,
  },
  { name: 'no response', answer: { status: 200, body: '', manner: { kind: 'hang' } }, ownProcess: true },
]

/** Milliseconds from the first submit for each requested swap until its caller saw the end. LOST is not a recovery. */
export function recoveries({ callers, upstream }: Rig<Gateway>): number[] {
  const firstSubmitAt = new Map(upstream.ledger.toReversed().map(({ targetImage, at }) => [targetImage, at]))
  return callers.swaps.flatMap(({ targetImage, doneAt, doneAs }) => {
    const from = firstSubmitAt.get(targetImage)
    return from === undefined || doneAt === null || doneAs === 'LOST' ? [] : [doneAt - from]
  })
}

/** Responds to the first submit for each requested swap as `planOf` says, and to later ones correctly. */
function scriptFirst(rig: Rig<Gateway>, planOf: (n: number) => SubmitPlan, script: JobScript): void {
  const seen = new Map<string, number>()
  rig.upstream.scriptJobs(({ targetImage }) => {
    if (seen.has(targetImage)) return GOOD
    seen.set(targetImage, seen.size)
    return { ...script, submit: planOf(seen.size - 1) }
  })
}

/** The gateway must not buffer a response of a gigabyte, or one that expands when decompressed. */
const MAX_MEMORY_MB = 400

/** Checks the peak memory of a gateway with its own process; false if it is in bounds or not measured. */
export function checkMemory({ gateway }: Rig<Gateway>, times: number): string | false {
  const peak = isProcess(gateway) ? (gateway.peakMemoryMb() ?? 0) : 0
  return peak > MAX_MEMORY_MB && `${times} responses used ${peak} MB of memory`
}

function countEnds({ callers }: Rig<Gateway>): Record<string, number> {
  const ends: Record<string, number> = {}
  for (const { doneAs } of callers.swaps) ends[String(doneAs)] = (ends[String(doneAs)] ?? 0) + 1
  return ends
}

/** A submit times out after 33 s of the program's clock. At this speed a busy machine pauses no process that long. */
const UNHURRIED = 4

const refusalScenarios = REFUSALS.map(({ name, answer, endsAs }): Scenario => ({
  name,
  times: { short: 2, long: 20 },
  run: (times) =>
    withSharedRig({ clockFactor: UNHURRIED }, async (rig) => {
      scriptFirst(rig, () => ({ kind: 'answer', ...answer }), GOOD)
      rig.requestSwaps(times)
      await rig.settle()
      const ends = countEnds(rig)
      return toResult(
        await rig.check(),
        { injected: times, recoveriesMs: recoveries(rig) },
        ends[endsAs] !== times && `ended as ${JSON.stringify(ends)}, not all as ${endsAs}`,
      )
    }),
}))

const ambiguousScenarios = [...UNREADABLE, ...SLOW].map(({ name, answer, ownProcess }): Scenario => ({
  name: `${name} on submit`,
  times: { short: 2, long: 20 },
  run: (times) => {
    const options = { settings: { UNCONFIRMED_DEADLINE_S: '60' }, patienceMs: 1_500 }
    return (ownProcess ? withRig : withSharedRig)(options, async (rig: Rig<Gateway>) => {
      // The upstream has accepted every second submit nevertheless.
      const isTaken = (n: number) => n % 2 === 0
      scriptFirst(rig, (n) => ({ kind: isTaken(n) ? 'acceptAndAnswer' : 'answer', ...answer }), GOOD)
      rig.requestSwaps(times)
      await rig.settle()
      const ends = countEnds(rig)
      const taken = Math.ceil(times / 2)
      return toResult(
        await rig.check(),
        { injected: times, recoveriesMs: recoveries(rig) },
        checkMemory(rig, times),
        (ends['SUCCESS'] !== taken || (ends['LOST'] ?? 0) !== times - taken) &&
          `ended as ${JSON.stringify(ends)}, not ${taken} SUCCESS and the others LOST`,
      )
    })
  },
}))

const LATE_REFUSALS: readonly Answer[] = [
  refusal(429, 'too many requests'),
  refusal(400, 'No available accounts'),
  refusal(402, 'not enough quota'),
  refusal(200, "'action' parameter error!"),
]
const QUOTA_PER_DAY = 1_000
const USAGE = '{ swapUsage { quotaSpent quotaUncertain quotaRemaining } }'

const lateRefusal: Scenario = {
  name: 'a definite refusal that arrives after the job became UNCONFIRMED',
  times: { short: LATE_REFUSALS.length, long: 40 },
  run: (times) => {
    const settings = { TENANT_QUOTA_PER_DAY: String(QUOTA_PER_DAY), UNCONFIRMED_DEADLINE_S: '3600' }
    return withSharedRig({ clockFactor: 40, settings }, async (rig) => {
      const select = async (condition: string) =>
        withRawDatabase(rig.databaseUrl, async (database) => database.query(`select id from jobs where ${condition}`))
      // Few at a time: on the fast clock each held submit renews its lease forty times as often.
      for (let left = times; left > 0; left -= LATE_REFUSALS.length) {
        const count = Math.min(left, LATE_REFUSALS.length)
        const unconfirmed = until(async () => (await select(`status = 'UNCONFIRMED'`)).length === count, {
          everyMs: 100,
        }).catch(() => null)
        rig.upstream.scriptJobs((_, n) => ({
          submit: {
            kind: 'answer',
            ...(LATE_REFUSALS[n % LATE_REFUSALS.length] ?? refusal(402, '')),
            until: () => unconfirmed,
          },
        }))
        rig.requestSwaps(count)
        if (!(await rig.settle())) break
      }
      const late = await select(`id in (select job_id from job_timeline where status = 'UNCONFIRMED')`)
      const ends = countEnds(rig)
      const { data } = await askGraphql(rig.gateway, USAGE)
      const { quotaSpent, quotaUncertain, quotaRemaining } = data?.swapUsage ?? {}
      return toResult(
        await rig.check(),
        { injected: late.length, recoveriesMs: recoveries(rig) },
        ends['FAILED'] !== times && `ended as ${JSON.stringify(ends)}, not all as FAILED`,
        rig.upstream.submits !== times && `${rig.upstream.submits} submits for ${times} swaps`,
        (quotaSpent !== 0 || quotaUncertain !== 0 || quotaRemaining !== QUOTA_PER_DAY) &&
          `the quota was not released: ${JSON.stringify(data?.swapUsage)}`,
      )
    })
  },
}

export const submitFaults: readonly Scenario[] = [...refusalScenarios, lateRefusal, ...ambiguousScenarios]
