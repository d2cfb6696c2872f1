import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { HttpAnswer } from '../../src/upstream/call.ts'
import { isStorable, MAX_INT } from '../../src/domain/storable.ts'
import * as wire from '../../src/upstream/wire.ts'

const { readHookId } = wire
const KEY = 'the-key-of-the-upstream'
const parseSubmitAnswer = (given: HttpAnswer) => wire.parseSubmitAnswer(given, KEY)
const parseFetchAnswer = (upstreamId: string, given: HttpAnswer) => wire.parseFetchAnswer(upstreamId, given, KEY)

const answer = (body: unknown, httpStatus = 200, retryAfterMs: number | null = null) => ({
  httpStatus,
  body: typeof body === 'string' ? body : JSON.stringify(body),
  retryAfterMs,
})

describe('the response to a submit', () => {
  test.each([
    [
      { status: 'SUCCESS', message: '', data: { jobId: 'SWAP-FACE-171349414479347616' } },
      'SWAP-FACE-171349414479347616',
    ],
    [{ status: 'SUCCESS', message: 'success', data: { job_id: '0f8b…uuid' } }, '0f8b…uuid'],
    [{ status: 'SUCCESS', message: null, data: { jobId: 171_349 } }, '171349'],
    [{ status: 'SOMETHING NEW', data: { jobId: 'U1' } }, 'U1'],
    [{ jobId: 'U1' }, 'U1'],
  ])('is accepted if it has an id: %j', (body, upstreamId) => {
    expect(parseSubmitAnswer(answer(body))).toEqual({ kind: 'accepted', upstreamId })
  })

  test.each([
    ['an empty body', ''],
    ['HTML', '<html>ok</html>'],
    ['a truncated document', '{"status":"SUCCESS","data":{"jobI'],
    ['SUCCESS without an id', { status: 'SUCCESS', message: '', data: null }],
    ['a list', []],
    ['an id of another kind', { status: 'SUCCESS', data: { jobId: {} } }],
    ['an empty id', { status: 'SUCCESS', data: { jobId: '' } }],
    ['an id without end', { status: 'SUCCESS', data: { jobId: 'x'.repeat(5_000) } }],
  ])('is unknown, because the job may exist, for status 200 with %s', (_name, body) => {
    expect(parseSubmitAnswer(answer(body)).kind).toBe('unknown')
  })

  test.each([500, 502, 503, 504, 301, 302, 408, 418])('is unknown for the status %i', (status) => {
    expect(parseSubmitAnswer(answer('<html>', status)).kind).toBe('unknown')
  })

  test.each([
    [429, false],
    [499, false],
    [400, true],
  ])('is a transient refusal for the status %i', (status, noAccounts) => {
    const body = { status: 'FAILED', message: noAccounts ? 'No available accounts' : 'later', data: null }
    expect(parseSubmitAnswer(answer(body, status, 7_000))).toMatchObject({
      kind: 'refused',
      transient: true,
      retryAfterMs: 7_000,
    })
  })

  test('is a transient refusal with status 400 only if the text begins with "No available accounts"', () => {
    const message = 'cannot read https://x.example/?No available accounts'
    expect(parseSubmitAnswer(answer({ status: 'FAILED', message, data: null }, 400))).toMatchObject({
      kind: 'refused',
      transient: false,
    })
  })

  test.each([
    [400, { status: 'FAILED', message: "'action' parameter error!", data: null }, 'UPSTREAM_REFUSED'],
    [400, { status: 'FAILED', message: 'cannot read the target image', data: null }, 'IMAGE_NOT_READABLE'],
    [401, { status: 'FAILED', message: 'TT-API-KEY' }, 'UPSTREAM_REFUSED'],
    [402, '', 'UPSTREAM_QUOTA_EXHAUSTED'],
    [403, '<html>', 'UPSTREAM_REFUSED'],
    [404, '<html>', 'UPSTREAM_REFUSED'],
    [200, { status: 'FAILED', message: 'bad', data: null }, 'UPSTREAM_REFUSED'],
  ])('is a final refusal for HTTP %i with %j', (status, body, code) => {
    expect(parseSubmitAnswer(answer(body, status))).toMatchObject({
      kind: 'refused',
      transient: false,
      failure: { code },
    })
  })
})

describe('the response to a fetch', () => {
  const data = {
    jobId: 'U1',
    targetImage: 'https://t/1?a=%20',
    swapImage: 'https://s/1',
    discordImage: 'https://cdn.discordapp.com/a.jpg?ex=66344d83&is=6621d883&hm=a0&',
    cdnImage: 'https://mjcdn.ttapi.io/a.jpg?ex=66344d83&is=6621d883&hm=a0&',
    hookUrl: null,
    quota: 3,
  }

  test('is an outcome for the sample of the reference', () => {
    expect(parseFetchAnswer('U1', answer({ status: 'SUCCESS', message: null, jobId: 'U1', data }))).toEqual({
      kind: 'succeeded',
      upstreamId: 'U1',
      word: 'SUCCESS',
      echo: { targetImage: data.targetImage, swapImage: data.swapImage, hookUrl: null },
      links: { cdnImage: data.cdnImage, discordImage: data.discordImage },
      quota: 3,
    })
  })

  test.each([
    ['3', 3],
    [' 3 ', 3],
    [0, 0],
    ['', null],
    ['three', null],
    [-1, null],
    [2.5, null],
    [null, null],
  ])('with the quota %j has the charge %j', (quota, expected) => {
    const outcome = parseFetchAnswer('U1', answer({ status: 'SUCCESS', jobId: 'U1', data: { ...data, quota } }))
    expect(outcome).toMatchObject({ kind: 'succeeded', quota: expected })
  })

  test.each([
    ['one link of the two', { ...data, discordImage: null }],
    ['an integer for a nested status', { ...data, status: 2 }],
    ['the id in its other spelling', { ...data, jobId: undefined, job_id: 'U1' }],
  ])('is an outcome with %s', (_name, odd) => {
    expect(parseFetchAnswer('U1', answer({ status: 'SUCCESS', data: odd })).kind).toBe('succeeded')
  })

  test.each([
    ['ON_QUEUE', null],
    ['ON_QUEUE', { jobId: null, targetImage: null, quota: null }],
    ['PENDING_QUEUE', null],
    ['an unknown word', null],
    ['SUCCESS', null],
    ['SUCCESS', { jobId: 'U1', cdnImage: '', discordImage: null }],
    ['SUCCESS', { jobId: 'U1', cdnImage: 'javascript:alert(1)' }],
  ])('is unfinished for the status %s with %j', (status, odd) => {
    expect(parseFetchAnswer('U1', answer({ status, message: null, jobId: 'U1', data: odd }))).toMatchObject({
      kind: 'unfinished',
      word: status,
    })
  })

  test.each([
    [{ status: 'FAILED', message: null, jobId: 'U1', data: null }],
    [{ status: 'FAILED', message: '', data: { job_id: 'U1', cdnImage: null } }],
  ])('is a failure if it names the job: %j', (body) => {
    expect(parseFetchAnswer('U1', answer(body)).kind).toBe('failed')
  })

  test.each([
    ['an unknown id', { status: 'FAILED', message: 'not found', data: null }, 200],
    ['an unknown id', { status: 'FAILED', message: 'not found', data: null }, 400],
    ['an unknown id', { status: 'FAILED', message: 'not found', jobId: 'U1', data: null }, 404],
    ['another job', { status: 'FAILED', jobId: 'U2', data: null }, 200],
    ['another job', { status: 'SUCCESS', data: { ...data, jobId: 'U2' } }, 200],
    ['no status', { jobId: 'U1', data: null }, 200],
    ['a number for a status', { status: 3, jobId: 'U1' }, 200],
    ['HTML', '<html>', 200],
    ['nothing', '', 200],
    ['null', 'null', 200],
    ['an error', { status: 'FAILED', jobId: 'U1', data: null }, 500],
    ['a wrong key', { status: 'FAILED', message: 'key' }, 401],
  ])('says nothing about the job if it is %s (%j, HTTP %i)', (_name, body, status) => {
    expect(parseFetchAnswer('U1', answer(body, status)).kind).toBe('nothing')
  })
})

test.each([
  ['{"jobId":"U1"}', 'U1'],
  ['{"data":{"job_id":"U1"}}', 'U1'],
  ['{"status":"SUCCESS"}', null],
  ['<html>', null],
  ['', null],
])('a hook with the body %j names the id %j', (body, id) => {
  expect(readHookId(body)).toBe(id)
})

describe('any response of the upstream', () => {
  const CONTROL = /\p{Cc}/u
  /** Arbitrary UTF-16 texts, many of them valid values with NUL or half a surrogate pair added. */
  const odd = fc.constantFrom('\0', '\ud800', '\udc00', '\u001b', '\n', '')
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .tuple(fc.constantFrom('SUCCESS', 'FAILED', 'ON_QUEUE', 'https://a.example/', 'U1', '3'), odd)
      .map((parts) => parts.join('')),
  )
  const number = fc.oneof(
    fc.integer(),
    fc.double(),
    fc.constantFrom(3, MAX_INT, MAX_INT + 1, 2 ** 53, -1, '3', '4294967296'),
  )
  const value = fc.oneof(text, number, fc.constantFrom(null, true, {}, []))
  const document = fc.record({
    status: fc.oneof(fc.constantFrom('SUCCESS', 'FAILED', 'ON_QUEUE'), value),
    message: value,
    jobId: fc.oneof(fc.constant('U1'), value),
    data: fc.oneof(
      fc.record({
        jobId: value,
        targetImage: value,
        hookUrl: value,
        cdnImage: value,
        discordImage: value,
        quota: value,
      }),
      value,
    ),
  })
  /** Lists every text and number of an outcome, except the echo, which is compared and never stored. */
  const leavesOf = (outcome: object): readonly unknown[] =>
    Object.entries(outcome).flatMap(([name, leaf]): readonly unknown[] => {
      if (name === 'echo' || leaf === null) return []
      return typeof leaf === 'object' ? leavesOf(leaf) : [leaf]
    })

  test('is parsed into values that every database and the schema can hold', () => {
    expect.hasAssertions()
    fc.assert(
      fc.property(document, (body) => {
        const whole = answer(body)
        const outcomes = [parseFetchAnswer('U1', whole), parseSubmitAnswer(whole), { id: readHookId(whole.body) }]
        for (const leaf of outcomes.flatMap(leavesOf)) {
          if (typeof leaf === 'string') expect(isStorable(leaf) && !CONTROL.test(leaf)).toBe(true)
          if (typeof leaf === 'number') expect(Number.isInteger(leaf) && Math.abs(leaf) <= MAX_INT).toBe(true)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test('with an invalid quota, status or second link still has its result', () => {
    const data = { cdnImage: 'https://c.example/1', discordImage: 'https://d.example/\0', quota: 4_294_967_296 }
    expect(parseFetchAnswer('U1', answer({ status: 'SUCCESS', jobId: 'U1', data }))).toMatchObject({
      kind: 'succeeded',
      links: { cdnImage: 'https://c.example/1', discordImage: null },
      quota: null,
    })
    expect(parseFetchAnswer('U1', answer({ status: 'QUE\0UED', jobId: 'U1' }))).toMatchObject({ word: 'QUEUED' })
  })
})
