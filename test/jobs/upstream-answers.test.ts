/**
 * Drives each row of the table "The upstream's answers" in docs/FAILURES.md over real HTTP, and compares what the caller
 * sees, what the log says and which metrics move with the row.
 */
import { readFileSync } from 'node:fs'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { createLogTelemetry } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics/metrics.ts'
import type { Answer } from '../support/fake-upstream.ts'
import { createFastClock } from '../support/fast-clock.ts'
import { parseMetrics } from '../support/metric-series.ts'
import { isOnPostgres } from '../support/raw-database.ts'
import type { TelemetryEvent } from '../support/record-telemetry.ts'
import { openTestApp, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const IMAGES = 'targetImage: { url: "https://example.com/t.jpg" }, swapImage: { url: "https://example.com/f.jpg" }'
const JOB = 'id status failure { code message } progress { waitingFor lastRefusal }'
const CREATE = `mutation { createSwap(input: { ${IMAGES} }) {
  __typename ... on CreateSwapSuccess { job { ${JOB} } } ... on SwapUpstreamError { job { ${JOB} } } } }`
const READ = `query ($id: ID!) { swapJob(id: $id) { ${JOB} } }`

const document = (message: string) => JSON.stringify({ status: 'FAILED', message, data: null })
const HTML = '<html>Bad gateway</html>'
const HANG: Answer = { status: 200, body: '', manner: { kind: 'hang' } }

/** The upstream's responses to a submit, by their names in the table. */
const SUBMITS: Readonly<Record<string, Answer>> = {
  '401, a wrong key': { status: 401, body: document('invalid key') },
  '400 with a message': { status: 400, body: document("'hookUrl' parameter error!") },
  '402, no quota': { status: 402, body: document('not enough quota') },
  '403, a blocked account': { status: 403, body: document('account blocked') },
  '429': { status: 429, body: document('slow down'), headers: { 'retry-after': '60' } },
  '499, its queue is full': { status: 499, body: document('queue full'), headers: { 'retry-after': '60' } },
  'HTML with 502': { status: 502, body: HTML },
  'HTML with 200': { status: 200, body: HTML },
}
/** The upstream's responses to the fetch of a submitted swap. */
const FETCHES: Readonly<Record<string, Answer>> = {
  '401, a wrong key': { status: 401, body: document('invalid key') },
  '429': { status: 429, body: document('slow down') },
  'HTML with 502': { status: 502, body: HTML },
}

interface Row {
  readonly caller: string
  readonly log: string
  readonly metrics: string
}

/** Reads the rows of the table, by the first two columns. */
function readTable(): ReadonlyMap<string, Row> {
  const [, section = ''] = readFileSync('docs/FAILURES.md', 'utf8').split("\n## The upstream's answers\n")
  const rows = [
    ...(section.split('\n## ')[0] ?? '').matchAll(/^\| (submit|fetch) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$/gm),
  ]
  return new Map(
    rows.map(([, call, answer, caller = '', log = '', metrics = '']) => [
      `${call}: ${answer}`,
      { caller, log, metrics },
    ]),
  )
}

const table = readTable()

/** The log lines of these events at level info and above, as the table writes them. */
function writeLog(events: readonly TelemetryEvent[], caller: string): string {
  const lines: string[] = []
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      const { level, msg, httpStatus, reason, upstreamMessage } = JSON.parse(chunk.toString()) as LogLine
      const isNew = typeof reason === 'string' && !caller.includes(reason)
      const fields = Object.entries({ httpStatus, reason: isNew ? reason : null, upstreamMessage })
      const written = fields.flatMap(([name, value]) => (value == null ? [] : [`, \`${name}\` ${String(value)}`]))
      lines.push(`${LEVELS[level]} \`${msg}\`${written.join('')}`)
      done()
    },
  })
  const telemetry = createLogTelemetry(pino({ level: 'info' }, output))
  for (const { name, args } of events.filter((event) => !UNRELATED.has(event.name)))
    Reflect.apply(Reflect.get(telemetry, name) as () => void, undefined, [...args])
  return [...new Set(lines)].join('; ')
}

interface LogLine {
  readonly level: number
  readonly msg: string
  readonly httpStatus?: number
  readonly reason?: string
  readonly upstreamMessage?: string
}
/** Log lines that do not depend on the response. */
const UNRELATED: ReadonlySet<string> = new Set(['jobCreated', 'keyAccepted'])
const LEVELS: Readonly<Record<number, string>> = { 30: 'info', 40: 'warn', 50: 'error' }

/** The metrics of a call to the upstream that its events move, as the table writes them. */
async function writeMetrics(call: 'submit' | 'fetch', events: readonly TelemetryEvent[]): Promise<string> {
  const { telemetry, render } = createMetrics({ version: '', database: 'sqlite', upstream: 'remote' }, () => 0)
  for (const { name, args } of events.filter((event) => event.name === `${call}Ended`))
    Reflect.apply(Reflect.get(telemetry, name) as () => void, undefined, [...args])
  const moved = [...parseMetrics(await render())].filter(([, value]) => value > 0).map(([series]) => series)
  return moved
    .flatMap((series) => {
      const [, name, labels] =
        /^(swapface_\w+_duration_seconds|swapface_upstream_responses_total)(?:_count)?\{(?:call="\w+",)?([^,}]+)\}$/.exec(
          series,
        ) ?? []
      return name === undefined ? [] : [`\`${name}\` \`${labels}\``]
    })
    .toSorted()
    .join(', ')
}

interface ShownJob {
  readonly status: string
  readonly failure: { readonly code: string; readonly message: string } | null
  readonly progress: { readonly waitingFor: string | null; readonly lastRefusal: string | null } | null
}

function writeCaller(typename: string, job: ShownJob): string {
  const error = typename === 'SwapUpstreamError' ? '`SwapUpstreamError` with the job: ' : ''
  const failure = job.failure ? `, \`${job.failure.code}\`: ${job.failure.message}` : ''
  const wait = job.progress?.waitingFor ? `, \`${job.progress.waitingFor}\`: ${job.progress.lastRefusal}` : ''
  return `${error}\`${job.status}\`${failure}${wait}`
}

async function driveSubmit(gateway: TestApp): Promise<Row> {
  const { data } = await gateway.graphql(CREATE)
  const { __typename, job } = data.createSwap
  // A job that waits for its next attempt is briefly between two states.
  const shown = await until(async () => {
    const one = (await gateway.graphql(READ, { id: job.id })).data.swapJob
    return one.status !== 'PENDING' || one.progress.waitingFor?.startsWith('UPSTREAM') ? one : null
  })
  const caller = writeCaller(__typename, shown)
  const log = writeLog(gateway.events, caller)
  return { caller, log, metrics: await writeMetrics('submit', gateway.events) }
}

describe('the table of upstream responses describes', () => {
  test.each(Object.entries(SUBMITS))('a submit that is answered with %s', async (answer, plan) => {
    const gateway = await openTestApp()
    gateway.upstream.planSubmits({ kind: 'answer', ...plan })
    expect(await driveSubmit(gateway)).toEqual(table.get(`submit: ${answer}`))
  })

  test('a submit whose connection is reset', async () => {
    const gateway = await openTestApp()
    gateway.upstream.planSubmits({ kind: 'reset' })
    expect(await driveSubmit(gateway)).toEqual(table.get('submit: a reset connection'))
  })

  test('a submit whose connection is refused', async () => {
    const gateway = await openTestApp({ settings: { TTAPI_URL: 'http://127.0.0.1:1' } })
    expect(await driveSubmit(gateway)).toEqual(table.get('submit: a refused connection'))
  })

  // The timeout is 30 s.
  test.skipIf(!isOnPostgres)(
    `a submit without a response${isOnPostgres ? '' : ' [only in npm run test:all]'}`,
    async () => {
      const gateway = await openTestApp()
      gateway.upstream.planSubmits({ kind: 'answer', ...HANG })
      expect(await driveSubmit(gateway)).toEqual(table.get('submit: no answer within 30 s'))
    },
  )

  test.each(Object.entries(FETCHES))('a fetch that is answered with %s', async (answer, plan) => {
    const gateway = await openTestApp({ clock: createFastClock(10) })
    const { job } = (await gateway.graphql(CREATE)).data.createSwap
    const submitted = gateway.events.length
    gateway.upstream.failFetches(() => plan)
    await until(() => gateway.events.some(({ name }) => name === 'fetchEnded'))
    const events = gateway.events.slice(submitted)
    const shown = (await gateway.graphql(READ, { id: job.id })).data.swapJob
    const caller = writeCaller('', shown)
    const row = { caller, log: writeLog(events, caller), metrics: await writeMetrics('fetch', events) }
    expect(row).toEqual(table.get(`fetch: ${answer}`))
  })
})

test('a refused key is one error in the log for many swaps, and swapService says so until a swap is accepted again', async () => {
  const gateway = await openTestApp()
  const keyAccepted = async () =>
    (await gateway.graphql('{ swapService { keyAccepted } }')).data.swapService.keyAccepted
  expect(await keyAccepted()).toBeNull()
  const refusal = { kind: 'answer', status: 401, body: document('invalid key') } as const
  gateway.upstream.planSubmits(refusal, refusal, refusal)
  for (let n = 0; n < 3; n += 1) await gateway.graphql(CREATE)
  expect(await keyAccepted()).toBe(false)
  const lines = writeLog(gateway.events, '')
    .split('; ')
    .filter((line) => line.startsWith('error'))
  expect(gateway.events.filter(({ name }) => name === 'keyRefused')).toHaveLength(1)
  expect(lines).toHaveLength(1)
  await gateway.graphql(CREATE)
  expect(await keyAccepted()).toBe(true)
})

test('the table of the upstream answers has a row for each of these tests, and no other', () => {
  const submits = [...Object.keys(SUBMITS), 'a reset connection', 'a refused connection', 'no answer within 30 s']
  const rows = [
    ...submits.map((answer) => `submit: ${answer}`),
    ...Object.keys(FETCHES).map((answer) => `fetch: ${answer}`),
  ]
  expect([...table.keys()].toSorted()).toEqual(rows.toSorted())
})
