/** The scenarios: the request, the jobs, and the part of the responses that must be equal for all contenders. */
import { z } from 'zod'
import { type Answer, cycle, freshly, type Load, toAsk } from './ask.ts'
import type { JobCounts, ShownJob } from './bench-jobs.ts'

/** The gateway fetches a job at most once per second: with thousands of jobs each request causes a fetch. */
const UNFINISHED = Number(process.env['BENCH_JOBS'] ?? 200)
const LISTED = 40
const ALIASES = 100
const JOBS_PER_ASK = 10

export interface Scenario {
  readonly limit: 'bare' | 'bare-proxy' | 'bare-proxy-write'
  readonly hasPeers: boolean
  readonly status: 200 | 'any'
  readonly jobs: JobCounts
  /** Settings of the gateway that differ from the other scenarios. */
  readonly settings?: Readonly<Record<string, string>>
  readonly loadOf: (jobs: readonly [ShownJob, ...ShownJob[]]) => Load
  /** Returns the part of a response that must be equal for all contenders. */
  readonly gistOf: (answer: Answer) => unknown
}

const WHOLE = '{ id status done version result { url } charge { state quota } }'
const READ = `query ($id: ID!) { swapJob(id: $id) ${WHOLE} }`
const READ_MANY = `query (${list(JOBS_PER_ASK, (n) => `$i${n}: ID!`)}) {
  ${list(ALIASES, (n) => `a${n}: swapJob(id: $i${n % JOBS_PER_ASK}) { id status done version }`)}
}`
const LIST = `{ swapJobs(first: 20) { edges { cursor node ${WHOLE} } } }`
const REFUSED = 'query ($id: ID!) { swapJob(id: $id) { id nope } }'
const CREATE = `mutation ($input: CreateSwapInput!) {
  createSwap(input: $input) {
    ... on CreateSwapSuccess { job { id status done version } }
    ... on SwapError { code message }
  }
}`
const FORGED = { path: `/hooks/swapface/job_00000000000000000000000000.${'A'.repeat(22)}`, body: '{}' }

const ordinary = { limit: 'bare', hasPeers: true, status: 200, gistOf: (answer: Answer) => dataOf(answer) } as const

export const scenarios: Readonly<Record<string, Scenario>> = {
  finished: {
    ...ordinary,
    jobs: { finished: 1 },
    loadOf: ([job]) => cycle([toAsk(READ, { id: job.id })]),
  },
  unfinished: {
    ...ordinary,
    limit: 'bare-proxy',
    jobs: { unfinished: UNFINISHED },
    loadOf: ([first, ...rest]) => cycle([readOne(first), ...rest.map(readOne)]),
  },
  aliases: {
    ...ordinary,
    limit: 'bare-proxy',
    jobs: { unfinished: UNFINISHED },
    loadOf: (jobs) => {
      const starts = Array.from({ length: Math.floor(jobs.length / JOBS_PER_ASK) - 1 }, (_u, n) => n + 1)
      return cycle([readMany(jobs, 0), ...starts.map((n) => readMany(jobs, n * JOBS_PER_ASK))])
    },
  },
  list: {
    ...ordinary,
    jobs: { finished: LISTED },
    loadOf: () => cycle([toAsk(LIST)]),
  },
  create: {
    ...ordinary,
    limit: 'bare-proxy-write',
    jobs: { unfinished: 1 },
    // The program's default: polls of thousands of new jobs are not part of creating them.
    settings: { FETCH_PER_SECOND: '20' },
    loadOf: () => freshly(createAsks()),
    gistOf: (answer) => dataOf(answer, 'id'),
  },
  refused: {
    ...ordinary,
    status: 'any',
    jobs: { finished: 1 },
    loadOf: ([job]) => cycle([toAsk(REFUSED, { id: job.id })]),
    gistOf: errorOf,
  },
  forged: {
    ...ordinary,
    hasPeers: false,
    status: 'any',
    jobs: { unfinished: 1 },
    loadOf: () => cycle([FORGED]),
    gistOf: ({ body }) => body,
  },
}

function list(count: number, part: (n: number) => string): string {
  return Array.from({ length: count }, (_unused, n) => part(n)).join(' ')
}

function readOne({ id }: ShownJob) {
  return toAsk(READ, { id })
}

function readMany(jobs: readonly ShownJob[], from: number) {
  const chosen = jobs.slice(from, from + JOBS_PER_ASK)
  return toAsk(READ_MANY, Object.fromEntries(chosen.map(({ id }, n) => [`i${n}`, id])))
}

/** Creates requests with image URLs that were not used before. */
function createAsks() {
  let count = 0
  return () => {
    count += 1
    const targetImage = { url: `https://example.com/fresh/${count}.jpg` }
    const swapImage = { url: `https://example.com/face/${count}.jpg` }
    return toAsk(CREATE, { input: { targetImage, swapImage } })
  }
}

const responseSchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z.array(z.object({ message: z.string() })).default([]),
})

/** @param named a member whose value differs between contenders */
function dataOf({ body }: Answer, named = 'cursor'): unknown {
  const { data, errors } = responseSchema.parse(JSON.parse(body))
  if (!data || errors.length > 0) throw new Error(`no data: ${body}`)
  return JSON.parse(JSON.stringify(data, (key, value: unknown) => (key === named ? typeof value : value)))
}

/** Drops the suggestions after the message, because schemas differ. */
function errorOf({ body }: Answer): unknown {
  const { data, errors } = responseSchema.parse(JSON.parse(body))
  if (data) throw new Error(`not refused: ${body}`)
  return errors.map(({ message }) => message.split('.')[0])
}
