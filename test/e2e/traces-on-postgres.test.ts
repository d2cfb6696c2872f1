/** The trace of a job whose work two processes share. */
import { afterAll, expect, test } from 'vitest'
import { closeAfterTest } from '../support/close-after-test.ts'
import { openCollector } from '../support/collector.ts'
import { FAKE_KEY, openFakeUpstream, toDocument } from '../support/fake-upstream.ts'
import { createDatabase } from '../support/postgres.ts'
import { openScriptedHost } from '../support/scripted-host.ts'
import { makeDataDir, postGraphql } from '../support/test-app.ts'
import { until } from '../support/until.ts'
import { findFreePorts, killLeftPrograms, type Program, startProgram } from './program.ts'

afterAll(killLeftPrograms)

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }
const CREATE = `mutation ($input: CreateSwapInput!) { createSwap(input: $input) {
  ... on CreateSwapSuccess { job { id } } ... on SwapError { code message } } }`
const STATE = 'query ($id: ID!) { swapJob(id: $id) { hook { state } } }'

/** Starts two processes on one database, whose hooks reach the second one, as behind a load balancer. */
async function startPair(settings: Record<string, string>): Promise<readonly [Program, Program]> {
  const { url, drop } = await createDatabase()
  closeAfterTest(drop)
  const [first, second] = [await findFreePorts(), await findFreePorts()]
  const env = {
    DATABASE_URL: url,
    GATEWAY_SECRET: 'a secret of sixteen',
    BLOB_URL: `file:${await makeDataDir()}`,
    PUBLIC_URL: `http://127.0.0.1:${second.port}`,
    ...settings,
  }
  const start = async (ports: typeof first, name: string) =>
    startProgram({
      ...ports,
      dataDir: await makeDataDir(),
      env: { ...env, OTEL_RESOURCE_ATTRIBUTES: `service.instance.id=${name}` },
    })
  return [await start(first, 'creator'), await start(second, 'hook receiver')]
}

test('a job has one trace if one process creates it and another confirms it, and its hook is linked to the confirm', async () => {
  const collector = await openCollector()
  const upstream = await openFakeUpstream()
  closeAfterTest(() => upstream.close())
  const receiver = await openScriptedHost((_request, response) => {
    response.writeHead(204).end()
  })
  closeAfterTest(() => receiver.close())
  const [creator, taker] = await startPair({
    TTAPI_KEY: FAKE_KEY,
    TTAPI_URL: upstream.url,
    ALLOWED_PRIVATE_HOSTS: receiver.host,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  })
  const { data } = await postGraphql(creator.url, CREATE, { input: { ...INPUT, hookUrl: receiver.url } })
  const { id } = data.createSwap.job
  const [accepted] = upstream.accepted
  if (!accepted) throw new Error('nothing was sent')
  expect(await creator.stop()).toBe(0)
  // Polls find the end only after the hook was taken, so the hook is always fetched.
  const state = { status: 'SUCCESS', links: { cdnImage: `${upstream.url}/results/1.png` } } as const
  expect(await upstream.sendHook(accepted, JSON.stringify(toDocument({ ...accepted, state })))).toBe(200)
  accepted.state = state
  const isDelivered = async () => (await postGraphql(taker.url, STATE, { id })).data.swapJob.hook.state === 'DELIVERED'
  await until(isDelivered)
  expect(await taker.stop()).toBe(0)

  const [created] = collector.named('mutation')
  const [submit] = collector.named('submit')
  const [hook] = collector.named('POST /hooks/swapface/:token')
  const confirm = collector.named('confirm').find(({ attributes }) => attributes['swapface.source'] === 'HOOK')
  const [copy] = collector.named('copy result')
  const [delivery] = collector.named('deliver webhook')
  expect(created).toMatchObject({ parentSpanId: '', resource: { 'service.instance.id': 'creator' } })
  const ofJob = { traceId: created?.traceId, parentSpanId: created?.spanId, attributes: { 'swapface.job.id': id } }
  expect(submit).toMatchObject({ ...ofJob, resource: { 'service.instance.id': 'creator' } })
  expect(confirm).toMatchObject({ ...ofJob, resource: { 'service.instance.id': 'hook receiver' } })
  expect(copy).toMatchObject({ ...ofJob, resource: { 'service.instance.id': 'hook receiver' } })
  expect(delivery).toMatchObject({ ...ofJob, resource: { 'service.instance.id': 'hook receiver' } })
  expect(hook).toMatchObject({ parentSpanId: '', resource: { 'service.instance.id': 'hook receiver' } })
  expect(hook?.traceId).not.toBe(created?.traceId)
  expect(confirm?.links).toEqual([{ traceId: hook?.traceId, spanId: hook?.spanId }])
  expect(receiver.requests[0]?.headers['traceparent']).toBe(`00-${created?.traceId}-${delivery?.spanId}-01`)
})
