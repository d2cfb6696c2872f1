/** What a released version stored, opened by this one. */
import { expect, test } from 'vitest'
import { FAKE_KEY, openFakeUpstream } from '../support/fake-upstream.ts'
import { readReleasedDatabase, restoreReleasedDatabase, type Row } from '../support/released-database.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { databaseUrlOf, makeDataDir, openTestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const JOBS = `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on SwapJob {
  id status clientReference tags result { cdnImage } failure { code } charge { state quota }
  targetImage { url } timeline { status } hook { state } } } }`
const AGAIN = `mutation ($input: CreateSwapInput!) { createSwap(input: $input) {
  ... on CreateSwapSuccess { reused job { id } } ... on SwapError { code message } } }`

test('an upgrade from 0.1.0 keeps every job, and finishes the work that was left', async () => {
  const released = readReleasedDatabase('0.1.0')
  const dataDir = await makeDataDir()
  await restoreReleasedDatabase(released, await databaseUrlOf(dataDir), dataDir)
  const upstream = await openFakeUpstream()
  closeAfterTest(() => upstream.close())
  const links = { cdnImage: `${upstream.url}/results/a.png` }
  const { tables, jobIds } = released
  const rows = tables['jobs'] ?? []
  // The jobs that the upstream had accepted from the released version, which have ended since.
  for (const row of rows.filter(({ status }) => status === 'ON_QUEUE' || status === 'UNCONFIRMED')) {
    await acceptAt(upstream, row, idAtUpstream(row, released.journal))
  }
  const { submits } = upstream
  for (const job of upstream.accepted) job.state = { status: 'SUCCESS', links }

  const { graphql } = await openTestApp({
    dataDir,
    upstream,
    settings: { GATEWAY_SECRET: released.gatewaySecret, ALLOWED_PRIVATE_HOSTS: '127.0.0.1' },
  })
  const read = async () => {
    const { data } = await graphql(JOBS, { ids: Object.values(jobIds) })
    return Object.fromEntries(Object.keys(jobIds).map((name, n) => [name, data.nodes[n]]))
  }
  const before = await read()
  expect(Object.values(before).map(({ id }) => id)).toEqual(Object.values(jobIds))
  expect(before['succeeded']).toMatchObject({
    status: 'SUCCESS',
    tags: ['old', 'release'],
    charge: { state: 'CHARGED', quota: 3 },
    timeline: [{ status: 'PENDING' }, { status: 'ON_QUEUE' }, { status: 'SUCCESS' }],
    hook: { state: 'DELIVERED' },
  })
  expect(before['forgotten']).toMatchObject({
    status: 'SUCCESS',
    clientReference: null,
    targetImage: null,
    result: null,
  })
  expect(before['failed']).toMatchObject({ status: 'FAILED', failure: { code: 'FACE_NOT_FOUND' } })
  expect(before['refused']).toMatchObject({ status: 'FAILED', failure: { code: 'UPSTREAM_QUOTA_EXHAUSTED' } })
  expect(before['canceled']).toMatchObject({ status: 'CANCELED', charge: { state: 'NOT_CHARGED' } })
  // Nothing but the released version's journal names the upstream id of `hooked`; nothing names that of `unconfirmed`.
  const finished = ['queued', 'queued-too', 'hooked']
  await until(async () => {
    const now = await read()
    return finished.every((name) => now[name].status === 'SUCCESS') && now['waiting-too'].status === 'ON_QUEUE'
  })
  expect((await read())['unconfirmed'].status).toBe('UNCONFIRMED')
  expect(upstream.ledger.slice(submits).map(({ targetImage }) => targetImage)).toEqual([
    'https://example.com/waiting.jpg',
    'https://example.com/waiting-too.jpg',
  ])

  const repeated = await graphql(AGAIN, {
    input: {
      targetImage: { url: 'https://example.com/waiting-too.jpg' },
      swapImage: { url: 'https://example.com/face.jpg' },
      clientReference: 'waiting-too',
      idempotencyKey: 'waiting-too-1',
    },
  })
  expect(repeated.data.createSwap).toEqual({ reused: 'SAME_KEY', job: { id: jobIds['waiting-too'] } })
  const usage = await graphql('{ swapUsage { jobs quotaSpent } }')
  expect(usage.data.swapUsage).toEqual({ jobs: rows.length, quotaSpent: 3 * (3 + finished.length) })
})

/** The upstream id of an accepted job: its own, or the one that a journaled hook named. */
function idAtUpstream({ id, upstream_id }: Row, journal: string): string {
  if (typeof upstream_id === 'string') return upstream_id
  const [, hinted] = new RegExp(`"jobId":"${id}","upstreamId":"([^"]+)"`).exec(journal) ?? []
  return hinted ?? `SWAP-FACE-OF-${id}`
}

/** Makes the upstream accept the job of a row under its old id. */
async function acceptAt(upstream: Awaited<ReturnType<typeof openFakeUpstream>>, row: Row, id: string): Promise<void> {
  upstream.scriptJobs(() => ({ id }))
  await fetch(`${upstream.url}/insightFace/v1/swap`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'tt-api-key': FAKE_KEY },
    body: JSON.stringify({
      targetImage: row['target_image_url'],
      swapImage: row['swap_image_url'],
      hookUrl: row['hook_address'],
    }),
  })
  upstream.scriptJobs(() => ({}))
}
