/** Secrets planted in every input: none appears in a response, a header or a log line. */
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSecretHider } from '../../src/telemetry/logger.ts'
import { until } from '../support/until.ts'
import { CREATE, INPUT, KEYS, openStage, openWire, post, read, SECRET, type Stage, UPSTREAM_KEY } from './stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await openStage()
}, 60_000)
afterAll(() => stage.close())

const CANARY = 'canary-of-a-caller-51d0'

test('the upstream key is sent only to the upstream, and no planted secret is logged', async () => {
  const answers: string[] = []
  const collect = async (response: Response) => {
    const answer = await read(response)
    answers.push(answer.text, JSON.stringify([...answer.headers]))
    return answer
  }
  const ask = async (body: object, headers: Record<string, string> = {}) =>
    collect(
      await fetch(`${stage.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': KEYS.acme, ...headers },
        body: JSON.stringify(body),
      }),
    )
  // The caller plants secrets in every field that it can set.
  await ask({ query: '{ __typename }' }, { 'x-api-key': CANARY })
  await ask({ query: '{ __typename }' }, { authorization: `Bearer ${CANARY}`, 'x-api-key': '' })
  await ask({ query: '{ __typename }' }, { cookie: CANARY, 'user-agent': CANARY, referer: `https://${CANARY}.example` })
  await ask({ query: `{ swapJob(id: "${CANARY}") { id } }` })
  await ask({ query: 'query ($id: ID!) { swapJob(id: $id) { id } }', variables: { id: CANARY } })
  await ask({
    query: CREATE,
    variables: { input: { ...INPUT, idempotencyKey: CANARY, clientReference: CANARY, tags: [CANARY] } },
  })
  await ask({
    query: CREATE,
    variables: { input: { ...INPUT, targetImage: { url: `https://example.com/${CANARY}.jpg?sig=${CANARY}` } } },
  })
  await collect(
    await fetch(`${stage.url}/hooks/swapface/${CANARY}.${'A'.repeat(22)}`, { method: 'POST', body: CANARY }),
  )
  await collect(await fetch(`${stage.url}/${CANARY}?token=${CANARY}`))
  const { socket, closed, send } = openWire(stage.url)
  await once(socket, 'open')
  send({ type: 'connection_init', payload: { authorization: `Bearer ${CANARY}` } })
  await closed

  // The upstream fails, and its responses contain secrets.
  const leak = JSON.stringify({
    status: 'FAILED',
    message: `${CANARY} ${UPSTREAM_KEY} at /srv/upstream.js:1`,
    data: null,
  })
  for (const status of [400, 401, 402, 403, 404, 500, 503]) {
    stage.upstream.planSubmits({ kind: 'answer', status, body: leak })
    await ask({
      query: `mutation ($input: CreateSwapInput!) { createSwap(input: $input) { __typename ... on SwapError { code message } ... on CreateSwapSuccess { job { status failure { message } upstreamStatus } } } }`,
      variables: { input: INPUT },
    })
  }
  const hookTokens = stage.upstream.accepted.map(({ hookUrl }) => hookUrl.split('.').at(-1) ?? '')
  expect(hookTokens.length).toBeGreaterThan(0)
  await until(() => stage.program.output().includes('submit ended'))

  const written = `${stage.program.output()}\n${answers.join('\n')}`
  for (const secret of [UPSTREAM_KEY, SECRET, ...Object.values(KEYS), ...hookTokens]) {
    expect(written.includes(secret), secret).toBe(false)
  }
  // The caller gets its own values back, in the fields defined for them only.
  expect(stage.program.output()).not.toContain(CANARY)
  expect(answers.filter((text) => text.includes(CANARY))).toEqual([])
})

test('an error in a response shows no stack, SQL or path', async () => {
  const answers = await Promise.all(
    ['{', '{ nope }', '{ swapJob(id: {}) { id } }', 'subscription { swapJobsUpdated(after: "x") { kind } }'].map(
      async (query) => (await post(stage.url, { query })).text,
    ),
  )
  for (const text of answers) expect(text).not.toMatch(/node_modules|\.ts:|\.js:|stack|SQLITE|select /i)
})

test.each([
  [
    'a hook address',
    'POST https://g.example/hooks/swapface/job_1.abcDEF-_ failed',
    'POST https://g.example/hooks/swapface/[hidden] failed',
  ],
  ['a bearer token', '{"h":"Bearer abc.def"}', '{"h":"Bearer [hidden]"}'],
  ['a watch token', 'swt_abc.def', '[hidden]'],
  ['a password in an address', 'postgres://gateway:pa55@db/x', 'postgres://gateway:[hidden]@db/x'],
  ['a secret by its value', 'error: the-secret-value', 'error: [hidden]'],
])('the log hides %s', (_what, line, hidden) => {
  expect(createSecretHider(['the-secret-value'])(line)).toBe(hidden)
})
