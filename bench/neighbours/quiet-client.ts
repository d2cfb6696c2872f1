/**
 * The quiet tenant: queries a finished job, creates a swap and uploads a photograph, one after the other, and reports
 * how long each took. Arguments: the gateway's address, and the number of stored jobs.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { listQuietIds } from './prepare.ts'
import { OPERATIONS, type Samples } from './operations.ts'
import { makePhotograph } from './photographs.ts'
import { handleMessages, readMember } from './child.ts'
import { createClient, reserveUpload } from './tenants.ts'

const PAUSE_MS = 5
const QUERY = 'query ($id: ID!) { swapJob(id: $id) { id status done result { url } } }'
const CREATE = `mutation ($input: CreateSwapInput!) {
  createSwap(input: $input) { __typename ... on CreateSwapSuccess { job { id status } } }
}`

const [url = '', stored = ''] = process.argv.slice(2)
const ids = listQuietIds(Number(stored))
const client = createClient(url, 'quiet')
const photograph = await makePhotograph(640, 480)
let asked = 0

const measureOne = async (): Promise<number[]> => {
  asked += 1
  const { value: id } = ids.next()
  const query = await time(async () => expectText(await client.send(QUERY, { id }), '"SUCCESS"'))
  await delay(PAUSE_MS)
  const input = {
    targetImage: { url: `https://example.com/quiet/${asked}.jpg` },
    swapImage: { url: 'https://example.com/face.jpg' },
  }
  const createSwap = await time(async () => expectText(await client.send(CREATE, { input }), 'CreateSwapSuccess'))
  await delay(PAUSE_MS)
  const reserved = await reserveUpload(client, photograph.byteLength)
  if (!reserved) throw new Error('the gateway refused the upload of the quiet tenant')
  const upload = await time(async () => {
    const status = await client.put(reserved.url, photograph)
    if (status !== 200) throw new Error(`the gateway answered the upload of the quiet tenant with ${status}`)
  })
  await delay(PAUSE_MS)
  return [query, createSwap, upload]
}

handleMessages(async (message) => {
  const count = Number(readMember(message, 'count'))
  const samples: Samples = { query: [], createSwap: [], upload: [] }
  for (let n = 0; n < count; n += 1) {
    for (const [at, ms] of (await measureOne()).entries()) samples[OPERATIONS[at] ?? 'query'].push(ms)
  }
  return samples
})

async function time(act: () => Promise<void>): Promise<number> {
  const from = performance.now()
  await act()
  return performance.now() - from
}

function expectText(text: string, part: string): void {
  if (!text.includes(part)) throw new Error(text)
}
