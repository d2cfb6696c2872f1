/** Tests the checker itself: it passes a correct history and reports each kind of breach. */
import { expect, test } from 'vitest'
import { checkHistory, type History, type StoredJob } from '../support/history.ts'

const MAC = 'v9kmA2wy2ilnL72e5MCAlS'
const hookOf = (id: string) => `http://127.0.0.1:4000/hooks/swapface/${id}.${MAC}`
const IMAGE = 'https://example.com/1.jpg'

const JOB: StoredJob = {
  id: 'job_1',
  status: 'SUCCESS',
  version: 3,
  upstreamId: 'SWAP-FACE-1',
  targetImage: IMAGE,
  hookAddress: hookOf('job_1'),
  chargeState: 'CHARGED',
  chargeQuota: 3,
}
const SUBMIT = { at: 1, targetImage: IMAGE, hookUrl: hookOf('job_1'), verdict: 'accepted', id: 'SWAP-FACE-1' } as const
const ACCEPTED = {
  id: 'SWAP-FACE-1',
  hookUrl: hookOf('job_1'),
  targetImage: IMAGE,
  state: { status: 'SUCCESS' },
} as const
const TIMELINE = [
  { jobId: 'job_1', version: 1, status: 'PENDING', at: 1 },
  { jobId: 'job_1', version: 2, status: 'ON_QUEUE', at: 2 },
  { jobId: 'job_1', version: 3, status: 'SUCCESS', at: 3 },
]
const EVENT = { id: 'job_1', version: 2, status: 'ON_QUEUE', done: false }
const END = { id: 'job_1', version: 3, status: 'SUCCESS', done: true }

const GOOD: History = {
  submits: [SUBMIT],
  accepted: [ACCEPTED],
  hooks: [{ id: 'SWAP-FACE-1', hookUrl: hookOf('job_1'), status: 200, at: 2 }],
  jobs: [JOB],
  timeline: TIMELINE,
  intents: [{ targetImage: IMAGE, jobIds: ['job_1', 'job_1'] }],
  sightings: [{ jobId: 'job_1', events: [EVENT, EVENT, END], end: 'completed' }],
  outlets: [{ kind: 'log', text: '{"job":"job_1"}' }],
  secrets: ['canary'],
  isSettled: true,
}

/** A submitted job whose response and hook were lost. */
const UNKNOWABLE: Partial<History> = {
  hooks: [{ id: 'SWAP-FACE-1', hookUrl: hookOf('job_1'), status: 0, at: 2 }],
  jobs: [{ ...JOB, status: 'LOST', upstreamId: null, chargeState: 'UNKNOWN', chargeQuota: null }],
  timeline: [
    { jobId: 'job_1', version: 1, status: 'PENDING', at: 1 },
    { jobId: 'job_1', version: 2, status: 'UNCONFIRMED', at: 2 },
    { jobId: 'job_1', version: 3, status: 'LOST', at: 3 },
  ],
  sightings: [],
}

test('the checker finds nothing in a correct history', () => {
  expect(checkHistory(GOOD)).toEqual({ accepted: 1, lost: [], chargedTwice: [], breaches: [] })
})

test('a LOST job whose outcome the gateway cannot find out does not count as lost', () => {
  expect(checkHistory({ ...GOOD, ...UNKNOWABLE })).toEqual({ accepted: 1, lost: [], chargedTwice: [], breaches: [] })
})

test('a job does not count as lost if its hook was accepted long after its deadline', () => {
  const hooks = GOOD.hooks.map((hook) => ({ ...hook, at: 100_000 }))
  expect(checkHistory({ ...GOOD, ...UNKNOWABLE, hooks }).lost).toEqual([])
})

test('a LOST job whose hook was acknowledged counts as lost', () => {
  const { lost } = checkHistory({ ...GOOD, ...UNKNOWABLE, hooks: GOOD.hooks })
  expect(lost).toEqual([expect.stringContaining('SWAP-FACE-1: its hook was accepted')])
})

test('a LOST job that can be fetched counts as lost', () => {
  const { jobs = [] } = UNKNOWABLE
  const known = jobs.map((job) => ({ ...job, upstreamId: 'SWAP-FACE-1' }))
  expect(checkHistory({ ...GOOD, ...UNKNOWABLE, jobs: known }).lost).toHaveLength(1)
})

test('an accepted job without a job of the gateway counts as lost', () => {
  const verdict = checkHistory({ ...GOOD, jobs: [], timeline: [], intents: [], sightings: [] })
  expect(verdict.lost).toHaveLength(1)
  expect(verdict.breaches).toEqual([
    `a submit for ${IMAGE} belongs to no recorded job`,
    'SWAP-FACE-1 was accepted for a job that is not stored',
  ])
})

test('two accepted submits for one requested swap count as a double charge', () => {
  const second = { ...ACCEPTED, id: 'SWAP-FACE-2' }
  const verdict = checkHistory({
    ...GOOD,
    accepted: [ACCEPTED, second],
    submits: [SUBMIT, { ...SUBMIT, id: 'SWAP-FACE-2' }],
  })
  expect(verdict.chargedTwice).toEqual([IMAGE])
  expect(verdict.breaches).toContain(`${IMAGE} was sent again after a submit that may have been accepted`)
})

test('a price that no database can hold counts as missing', () => {
  const accepted = [{ ...ACCEPTED, state: { status: 'SUCCESS', quota: 2 ** 31 } }] as const
  const chargedAs = (chargeQuota: number | null) =>
    checkHistory({ ...GOOD, accepted, jobs: [{ ...JOB, chargeQuota }] }).breaches
  expect(chargedAs(null)).toEqual([])
  expect(chargedAs(3)).toEqual(['the charges add up to 3, the successes cost 0'])
})

test('a submit after a definite refusal is allowed, and one after an ambiguous response is a violation', () => {
  const after = (verdict: 'refused' | 'ambiguous') =>
    checkHistory({ ...GOOD, submits: [{ ...SUBMIT, verdict, id: null }, SUBMIT] }).breaches
  expect(after('refused')).toEqual([])
  expect(after('ambiguous')).toEqual([`${IMAGE} was sent again after a submit that may have been accepted`])
})

const job = (change: Partial<StoredJob>): Partial<History> => ({ jobs: [{ ...JOB, ...change }] })
const timeline = (...statuses: string[]): Partial<History> => ({
  timeline: statuses.map((status, at) => ({ jobId: 'job_1', version: at + 1, status, at })),
})
const events = (end: 'completed' | 'cut', ...seen: (typeof EVENT)[]): Partial<History> => ({
  sightings: [{ jobId: 'job_1', events: seen, end }],
})
const outlet = (text: string): Partial<History> => ({ outlets: [{ kind: 'answer', text }] })

test.each<[string, Partial<History>, string]>([
  ['a gap in the versions', { timeline: TIMELINE.filter(({ version }) => version !== 2) }, 'job_1 has versions 1, 3'],
  ['a transition that does not exist', timeline('PENDING', 'LOST', 'SUCCESS'), 'job_1 went from PENDING to LOST'],
  ['a transition from a final status', timeline('PENDING', 'FAILED', 'SUCCESS'), 'job_1 went from FAILED to SUCCESS'],
  [
    'a timeline that does not begin with PENDING',
    timeline('ON_QUEUE', 'SUCCESS', 'SUCCESS'),
    'job_1 begins as ON_QUEUE',
  ],
  [
    'a row that is ahead of its timeline',
    job({ version: 4 }),
    'job_1 is SUCCESS (4), its timeline ends with SUCCESS (3)',
  ],
  ['a success without a charge', job({ chargeState: 'PENDING' }), 'job_1 is SUCCESS, but its charge is PENDING'],
  ['a wrong price', job({ chargeQuota: 6 }), 'the charges add up to 6, the successes cost 3'],
  [
    'an id that the upstream never assigned',
    job({ upstreamId: 'SWAP-FACE-9' }),
    'SWAP-FACE-9 is unknown to the upstream',
  ],
  [
    "another job's result",
    { accepted: [{ ...ACCEPTED, hookUrl: hookOf('job_2') }] },
    'job_1 holds SWAP-FACE-1, which the upstream accepted for another job',
  ],
  [
    'one id for two jobs',
    { jobs: [JOB, { ...JOB, id: 'job_2', hookAddress: hookOf('job_2') }] },
    'SWAP-FACE-1 belongs to 2 jobs',
  ],
  [
    'a success that the upstream does not have',
    { accepted: [{ ...ACCEPTED, state: { status: 'FAILED' } }] },
    'job_1 is SUCCESS, but the upstream has no success',
  ],
  [
    'a failure that the upstream does not have',
    { ...job({ status: 'FAILED', chargeState: 'NOT_CHARGED', chargeQuota: null }), sightings: [] },
    'job_1 is FAILED, but the upstream accepted it and did not fail',
  ],
  ['a job that never ends', job({ status: 'ON_QUEUE' }), 'job_1 is still ON_QUEUE'],
  ['two jobs for one key', { intents: [{ targetImage: IMAGE, jobIds: ['job_1', 'job_2'] }] }, 'created 2 jobs'],
  ['a job that was returned and is not stored', { intents: [{ targetImage: IMAGE, jobIds: ['job_9'] }] }, 'job_9'],
  [
    "another caller's job",
    { intents: [{ targetImage: 'https://example.com/2.jpg', jobIds: ['job_1'] }] },
    'belongs to another caller',
  ],
  ['a subscription without an end', events('completed', EVENT), 'ended without a final event'],
  ['an event after the final one', events('completed', END, END), 'an event after the final one'],
  ['an older state after a newer one', events('cut', END, EVENT), 'saw an older state after a newer one'],
  [
    'a state that was never stored',
    events('cut', { ...EVENT, status: 'UNCONFIRMED' }),
    'a state that was never stored',
  ],
  ['a "done" that is wrong', events('cut', { ...EVENT, done: true }), 'a wrong "done"'],
  ["another job's event", events('cut', { ...EVENT, id: 'job_2' }), 'saw job_2'],
  ['a secret in a response', outlet('{"message":"canary"}'), 'secret 1 is in a text: answer'],
  ['a hook token in a response', outlet(`see ${hookOf('job_1')}`), 'a hook token is in a text: answer'],
])('the checker reports %s', (_what, change, breach) => {
  expect(checkHistory({ ...GOOD, ...change }).breaches).toContainEqual(expect.stringContaining(breach))
})
