/** The loads of the noisy tenant. Each is as costly as a limit allows, and never repeats a document. */
import { request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { getIntrospectionQuery } from 'graphql'
import { seededId } from '../../test/support/seed-jobs.ts'
import { connectClient } from '../realtime/clients.ts'
import { makePhotograph } from './photographs.ts'
import { type GraphqlClient, KEYS, type Reserved, reserveUpload } from './tenants.ts'

/** One request, or one upload. @returns false if it was refused. */
type Load = (stopping: AbortSignal) => Promise<boolean>

const times = (count: number, part: (n: number) => string) =>
  Array.from({ length: count }, (_unused, n) => part(n)).join(' ')

const LISTED = '{ nodes { id status tags } }'
const QUERIES: Readonly<Record<string, (n: number) => string>> = {
  'ten lists': () => `{ ${times(10, (n) => `a${n}: swapJobs(first: 20) ${LISTED}`)} }`,
  'five lists with counts': () => `{ ${times(5, (n) => `a${n}: swapJobs(first: 20) { totalCount }`)} }`,
  'ten sums of 30 days': () => `{ ${times(10, (n) => `a${n}: swapUsage(window: LAST_30_DAYS) { jobs quotaSpent }`)} }`,
  'five lists of a tag and a status that no job has both': () =>
    `{ ${times(5, (n) => `a${n}: swapJobs(first: 20, filter: { tags: ["x"], statuses: [LOST] }) { totalCount }`)} }`,
  '200 jobs with as many values as allowed': () =>
    `{ a: swapJobs(first: 100) { nodes { ...F } } b: swapJobs(last: 100) { nodes { ...F } } }
     fragment F on SwapJob { ${times(6, (n) => `f${n}: createdAt`)} jobId status done version upstreamStatus
       targetImage { kind url } swapImage { kind url } result { url } failure { code message } charge { state quota }
       timeline { at status } tags clientReference updatedAt submittedAt finishedAt purgeAt forgottenAt }`,
  '100 estimates of waiting jobs': () =>
    `{ ${times(5, (n) => `a${n}: swapJobs(first: 20) { nodes { progress { ahead } } }`)} }`,
  '100 jobs by their ids, with all related data': (n) =>
    `{ nodes(ids: [${times(100, (k) => `"${seededId(1_001 + ((n * 100 + k) % 900_000))}"`)}]) { ... on SwapJob {
       id status timeline { at status source } targetImage { kind url } swapImage { kind url } retryOf { id }
       result { url } charge { state quota } failure { code message } tags createdAt finishedAt } } }`,
  introspection: () => getIntrospectionQuery(),
  'documents that are refused': () => `{ swapJob(id: "1") { ${times(600, (n) => `statu${n}`)} } }`,
}

const BATCH = `mutation ($input: CreateSwapBatchInput!) { createSwapBatch(input: $input) { __typename } }`
const UNFINISHED = 'subscription { swapJobsUpdated { kind job { id status tags createdAt charge { state quota } } } }'
const SLOW_BYTES = 10_000_000
const OPERATIONS_A_SOCKET = 20
const VIEW_WIDTHS = [64, 128, 256, 512, 1_024, 2_048, 4_096] as const
const VIEWS = ['jpg', 'png', 'webp'].flatMap((extension) => VIEW_WIDTHS.map((width) => ({ extension, width })))

/** Loads by name. */
export const LOADS = [
  ...Object.keys(QUERIES),
  'batches of 100 swaps',
  'photographs of 50 megapixels',
  'photographs of 16 megapixels',
  'slow uploads',
  'new views of images',
  'subscriptions to all unfinished jobs',
]

export async function createLoads(client: GraphqlClient, url: string): Promise<Readonly<Record<string, Load>>> {
  let sent = 0
  const next = () => (sent += 1)
  const large = await makePhotograph(8_192, 6_144)
  const medium = await makePhotograph(4_600, 3_400)

  const query =
    (name: string, write: (n: number) => string): Load =>
    async () => {
      const n = next()
      const text = await client.send(`${write(n)} # ${n}`)
      const isTooMuch = /COST_ESTIMATED_TOO_EXPENSIVE|DOCUMENT_TOO_LARGE/.test(text)
      if (isTooMuch) throw new Error(`${name}: ${text.slice(0, 500)}`)
      return !text.startsWith('{"errors"')
    }

  const upload = async (bytes: Buffer<ArrayBuffer>): Promise<string | null> => {
    const reserved = await reserveUpload(client, bytes.byteLength)
    const status = reserved && (await client.put(reserved.url, bytes))
    if (reserved && status === 200) return reserved.id
    // A refusal carries Retry-After: 1.
    await delay(1_000)
    return null
  }

  return {
    ...Object.fromEntries(Object.entries(QUERIES).map(([name, write]) => [name, query(name, write)])),
    'batches of 100 swaps': async () => {
      const items = Array.from({ length: 100 }, () => ({
        targetImage: { url: `https://example.com/noisy/${next()}.jpg` },
        swapImage: { url: 'https://example.com/face.jpg' },
      }))
      return (await client.send(BATCH, { input: { items } })).includes('Success')
    },
    'photographs of 50 megapixels': async () => (await upload(large)) !== null,
    'photographs of 16 megapixels': async () => (await upload(medium)) !== null,
    'slow uploads': createSlowUpload(client),
    'new views of images': createViewing(client, async () => upload(medium)),
    'subscriptions to all unfinished jobs': async () => subscribe(url),
  }
}

/** Uploads as slowly as allowed: a little more than 64 KiB in 5 s. */
function createSlowUpload(client: GraphqlClient): Load {
  /** An aborted upload may be sent again. */
  const reservations: Reserved[] = []
  return async (stopping) => {
    const reserved = reservations.pop() ?? (await reserveUpload(client, SLOW_BYTES))
    if (!reserved) throw new Error('the gateway refused the reservation of a slow upload')
    const status = await sendSlowly(reserved.url, stopping)
    reservations.push(reserved)
    if (status === 503) await delay(1_000)
    return status !== 503
  }
}

/** @returns the status; 0 if `stopping` came first. */
async function sendSlowly(url: string, stopping: AbortSignal): Promise<number> {
  const sent = request(url, { method: 'PUT', headers: { 'content-length': SLOW_BYTES } })
  const ended = new AbortController()
  const answered = new Promise<number>((resolve) => {
    sent.once('response', (response) => resolve(response.resume().statusCode ?? 0))
    sent.once('close', () => resolve(0))
  }).finally(() => ended.abort())
  sent.on('error', () => {})
  const isOver = AbortSignal.any([stopping, ended.signal])
  while (!isOver.aborted) {
    sent.write(Buffer.alloc(20_000, 0xff))
    await delay(1_000, undefined, { signal: isOver }).catch(() => null)
  }
  sent.destroy()
  return answered
}

/** Requests each view of an image once, then those of the next image. */
function createViewing(client: GraphqlClient, upload: () => Promise<string | null>): Load {
  const left: string[] = []
  let uploading: Promise<void> | null = null
  const refill = async () => {
    const id = await upload()
    if (id !== null) left.push(...VIEWS.map(({ extension, width }) => `/images/${id}.${extension}?w=${width}`))
    uploading = null
  }
  return async () => {
    while (left.length === 0) await (uploading ??= refill())
    return (await client.get(left.shift() ?? '')) === 200
  }
}

/** Opens a socket, reads the state of all unfinished jobs on it many times, and closes it. */
async function subscribe(url: string): Promise<boolean> {
  const socket = await connectClient(url, { authorization: `Bearer ${KEYS.noisy}` })
  await new Promise<void>((resolve) => {
    let open = OPERATIONS_A_SOCKET
    socket.onNext = (_id, text) => {
      if (text.includes('CAUGHT_UP') && (open -= 1) === 0) resolve()
    }
    for (let n = 0; n < OPERATIONS_A_SOCKET; n += 1) socket.ask(String(n), { query: UNFINISHED })
  })
  socket.socket.terminate()
  return true
}
