import { request } from 'node:http'

import { afterEach, describe, expect, test } from 'vitest'

import { createClosers } from '../../../src/lib/async/closers.ts'
import { API_KEY, openStage } from './support/swapface-stage.ts'
import { until } from '../../../test/support/until.ts'

const SWAP = '/insightFace/v1/swap'
const FETCH = '/insightFace/v1/fetch'
const closers = createClosers()
afterEach(() => closers.closeAll())

describe('submit', () => {
  test('returns exactly the document of the reference', async () => {
    const stage = await openStage(closers)
    const answer = await stage.post(SWAP, { targetImage: `${stage.images.url}/a`, swapImage: `${stage.images.url}/b` })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(await answer.text()).toMatch(/^\{"status":"SUCCESS","message":"","data":\{"jobId":"SWAP-FACE-\d{18}"\}\}$/)
  })

  test.each([
    ['targetImage', {}],
    ['targetImage', []],
    ['targetImage', null],
    ['targetImage', { targetImage: '', swapImage: 'https://example.com/b' }],
    ['targetImage', { targetImage: 'ftp://example.com/a', swapImage: 'https://example.com/b' }],
    ['targetImage', { targetImage: `https://example.com/${'a'.repeat(9000)}`, swapImage: 'https://example.com/b' }],
    ['swapImage', { targetImage: 'https://example.com/a' }],
    ['swapImage', { targetImage: 'https://example.com/a', swapImage: 7 }],
    ['swapImage', { targetImage: 'https://example.com/a', swapImage: 'data:image/png;base64,AA==' }],
    ['hookUrl', { targetImage: 'https://example.com/a', swapImage: 'https://example.com/b', hookUrl: 'nowhere' }],
    ['hookUrl', { targetImage: 'https://example.com/a', swapImage: 'https://example.com/b', hookUrl: ['x'] }],
  ])('answers 400 "\'%s\' parameter error!" for %j', async (name, body) => {
    const stage = await openStage(closers)
    const answer = await stage.post(SWAP, body)
    expect(answer.status).toBe(400)
    expect(await answer.text()).toBe(`{"status":"FAILED","message":"'${name}' parameter error!","data":null}`)
  })

  test('returns 400 for a body that is not JSON', async () => {
    const stage = await openStage(closers)
    const headers = { 'TT-API-KEY': API_KEY, 'content-type': 'application/json' }
    const answer = await fetch(stage.face.url + SWAP, { method: 'POST', headers, body: '{"targetImage":' })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toEqual({ status: 'FAILED', message: 'The body is not valid JSON.', data: null })
  })

  test('returns 415 for a form, which a page of another origin could send', async () => {
    const stage = await openStage(closers)
    const answer = await fetch(stage.face.url + SWAP, {
      method: 'POST',
      headers: { 'TT-API-KEY': API_KEY },
      body: new URLSearchParams({ targetImage: 'https://example.com/a' }),
    })
    expect(answer.status).toBe(415)
  })

  test('returns 413 for a body over the limit, and still serves the next request', async () => {
    const stage = await openStage(closers)
    const answer = await stage.post(SWAP, { targetImage: 'x'.repeat(140_000) })
    expect(answer.status).toBe(413)
    expect((await stage.post(SWAP, {})).status).toBe(400)
  })

  test('returns 499 while the queue is full, and accepts jobs again afterwards', async () => {
    const stage = await openStage(closers, { maxWaiting: 2 })
    stage.engine.hold()
    await stage.submit()
    const second = await stage.submit()
    const swap = { targetImage: `${stage.images.url}/a`, swapImage: `${stage.images.url}/b` }
    const refused = await stage.post(SWAP, swap)
    expect(refused.status).toBe(499)
    expect(await refused.json()).toEqual({
      status: 'FAILED',
      message: 'The queue is full. Try again later.',
      data: null,
    })
    await until(() => stage.engine.targets.length === 2)
    stage.engine.release()
    await stage.fetchDone(second)
    expect((await stage.post(SWAP, swap)).status).toBe(200)
  })
})

describe('fetch', () => {
  test('returns ON_QUEUE, then SUCCESS with all members in the order of the reference', async () => {
    const stage = await openStage(closers)
    stage.engine.hold()
    const targetImage = `${stage.images.url}/feed/a5c2.jpeg@f_auto?token=0d92&x=%7e&&y=a b`
    const swapImage = `${stage.images.url}/it/u=2626318104,3413060045&fm=253&f=JPEG?w=500&h=625`
    const jobId = await stage.submit({ targetImage, swapImage })

    const waiting = await stage.post(FETCH, { jobId })
    expect(waiting.status).toBe(200)
    expect(await waiting.text()).toBe(`{"status":"ON_QUEUE","message":null,"jobId":"${jobId}","data":null}`)

    await until(() => stage.engine.targets.length === 1)
    stage.engine.release()
    const { data } = await stage.fetchDone(jobId)
    const done = await stage.post(FETCH, { jobId })
    expect(done.status).toBe(200)
    expect(await done.text()).toBe(
      `{"status":"SUCCESS","message":null,"jobId":"${jobId}","data":{"jobId":"${jobId}",` +
        `"targetImage":${JSON.stringify(targetImage)},"swapImage":${JSON.stringify(swapImage)},` +
        `"discordImage":"${data?.discordImage}","cdnImage":"${data?.cdnImage}","hookUrl":null,"quota":3}}`,
    )
    const attachment = /^http:\/\/127\.0\.0\.1:\d+\/attachments\/\d{19}\/\d{19}\/[0-9a-f]{32}_ins\.jpg/
    expect(data?.discordImage).toMatch(attachment)
    expect(data?.discordImage).toMatch(/\?ex=[0-9a-f]{8}&is=[0-9a-f]{8}&hm=[0-9a-f]{64}&$/)
    expect(data?.cdnImage).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/cdn\/\d{4}-\d{2}-\d{2}\/[0-9a-f]{32}\.jpg$/)
  })

  test('returns FAILED with the reason and no data if the swap failed', async () => {
    const stage = await openStage(closers)
    const jobId = await stage.submit({ swapImage: 'http://10.1.2.3/face.jpg' })
    await stage.fetchDone(jobId)
    expect(await (await stage.post(FETCH, { jobId })).text()).toBe(
      `{"status":"FAILED","message":"The face image could not be downloaded: its address is not allowed.",` +
        `"jobId":"${jobId}","data":null}`,
    )
  })

  test('reads the job id from the query or from the body of a GET', async () => {
    const stage = await openStage(closers)
    stage.engine.hold()
    const jobId = await stage.submit()
    const expected = { status: 'ON_QUEUE', message: null, jobId, data: null }
    const byQuery = await fetch(`${stage.face.url}${FETCH}?jobId=${jobId}`, { headers: { 'TT-API-KEY': API_KEY } })
    expect(await byQuery.json()).toEqual(expected)
    expect(await sendRaw('GET', stage.face.url + FETCH, JSON.stringify({ jobId }))).toEqual([200, expected])
  })

  test('returns 404 without data for an unknown job id, and 400 for a missing one', async () => {
    const stage = await openStage(closers)
    const unknown = await stage.post(FETCH, { jobId: 'SWAP-FACE-171349414479347616' })
    expect(unknown.status).toBe(404)
    expect(await unknown.text()).toBe('{"status":"FAILED","message":"No job has this jobId.","data":null}')
    const none = await stage.post(FETCH, {})
    expect(none.status).toBe(400)
    expect(await none.text()).toBe(`{"status":"FAILED","message":"'jobId' parameter error!","data":null}`)
  })
})

describe('the server', () => {
  test.each([SWAP, FETCH])('returns 401 without a data member for a missing or wrong key at %s', async (path) => {
    const stage = await openStage(closers)
    for (const headers of [{}, { 'TT-API-KEY': '' }, { 'TT-API-KEY': `${API_KEY} x` }, { authorization: API_KEY }]) {
      // oxlint-disable-next-line no-await-in-loop
      const answer = await fetch(stage.face.url + path, { method: 'POST', headers, body: '{}' })
      expect(answer.status).toBe(401)
      // oxlint-disable-next-line no-await-in-loop
      expect(await answer.json()).toEqual({ status: 'FAILED', message: 'The header TT-API-KEY is missing or wrong.' })
    }
  })

  test('returns 404 as JSON for an unknown path, and 405 with Allow for a wrong method', async () => {
    const stage = await openStage(closers)
    const lost = await stage.post('/insightface/v1/swap', {})
    expect(lost.status).toBe(404)
    expect(await lost.json()).toMatchObject({ status: 'FAILED', data: null })
    const wrong = await fetch(stage.face.url + SWAP)
    expect(wrong.status).toBe(405)
    expect(wrong.headers.get('allow')).toBe('POST')
  })

  test('refuses to open on a port that is taken, and leaves nothing open', async () => {
    const stage = await openStage(closers)
    const port = Number(new URL(stage.face.url).port)
    await expect(openStage(closers, { port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })

  test("accepts the reference's requests as axios and Python's requests send them", async () => {
    const stage = await openStage(closers)
    stage.engine.hold()
    const swap = JSON.stringify({ targetImage: `${stage.images.url}/a`, swapImage: `${stage.images.url}/b` })
    const axios = { Accept: 'application/json, text/plain, */*', 'User-Agent': 'axios/1.7.2' }
    const python = { Accept: '*/*', 'Accept-Encoding': 'gzip, deflate', 'User-Agent': 'python-requests/2.32.3' }
    for (const headers of [axios, python]) {
      // oxlint-disable-next-line no-await-in-loop
      const [status, document] = await sendRaw('POST', stage.face.url + SWAP, swap, headers)
      expect([status, document]).toMatchObject([200, { status: 'SUCCESS', data: {} }])
    }
  })
})

/** Uses Node's own client, which sends a body with GET, too, and exactly the given headers. */
function sendRaw(method: string, url: string, body: string, headers: Record<string, string> = {}) {
  return new Promise<[status: number | undefined, document: unknown]>((resolve, reject) => {
    const fixed = {
      'TT-API-KEY': API_KEY,
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
    }
    const sent = request(url, { method, headers: { ...headers, ...fixed } }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      answer.on('end', () => resolve([answer.statusCode, JSON.parse(text)]))
    })
    sent.on('error', reject).end(body)
  })
}
