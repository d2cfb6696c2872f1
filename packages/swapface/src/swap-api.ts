/**
 * The reference's two calls, submit and fetch. A submit gets SUCCESS only after its job is on disk. The reference does
 * not define two cases: here an unknown job id gets 404 with a FAILED document and no data, and a full queue gets 499.
 */
import { createHash, randomInt, timingSafeEqual } from 'node:crypto'

import type { Clock } from '../../../src/lib/time/clock.ts'
import type { JobDocument } from './job-document.ts'
import type { Job, JobTable } from './job-table.ts'
import type { Log } from './log.ts'
import {
  Refusal,
  toFailedResponse,
  toJsonResponse,
  type RestResponse,
  type RestRequest,
  type Route,
} from './rest-server.ts'
import { parseUrl } from '../../../src/lib/net/parse-url.ts'

const MAX_URL_CHARS = 8192

export interface SwapApiOptions {
  readonly apiKey: string
  readonly table: JobTable
  readonly toDocument: (job: Job) => JobDocument
  /** Submits are refused at this number of unfinished jobs, running ones included. */
  readonly maxWaiting: number
  /** Called after a job has been committed. */
  readonly onSubmitted: () => void
  readonly clock: Clock
  readonly log: Log
}

export function createSwapApi(options: SwapApiOptions): readonly Route[] {
  const { table, toDocument, maxWaiting, onSubmitted, clock, log } = options
  const keyHash = toHash(options.apiKey)

  function checkKey({ headers }: RestRequest): void {
    const key = headers['tt-api-key']
    // The constant-time comparison needs equal lengths, so hashes are compared.
    if (typeof key === 'string' && timingSafeEqual(toHash(key), keyHash)) return
    throw new Refusal(toJsonResponse(401, { status: 'FAILED', message: 'The header TT-API-KEY is missing or wrong.' }))
  }

  async function submit(request: RestRequest): Promise<RestResponse> {
    checkKey(request)
    const body = toRecord(await request.readJson())
    const targetImage = getUrl(body, 'targetImage')
    const swapImage = getUrl(body, 'swapImage')
    const hookUrl = (body['hookUrl'] ?? '') === '' ? null : getUrl(body, 'hookUrl')
    if (table.countUnfinished() >= maxWaiting) return toFailedResponse(499, 'The queue is full. Try again later.')
    const jobId = addJob({ targetImage, swapImage, hookUrl })
    log({ event: 'job-submitted', jobId })
    onSubmitted()
    return toJsonResponse(200, { status: 'SUCCESS', message: '', data: { jobId } })
  }

  function addJob(job: Pick<Job, 'targetImage' | 'swapImage' | 'hookUrl'>): string {
    for (;;) {
      const jobId = createJobId(clock.now())
      if (table.add({ ...job, jobId }, clock.now())) return jobId
    }
  }

  async function fetchJob(request: RestRequest): Promise<RestResponse> {
    checkKey(request)
    const fromQuery = new URLSearchParams(request.query).get('jobId')
    const jobId = fromQuery ?? toRecord(await request.readJson())['jobId']
    if (typeof jobId !== 'string' || jobId === '') throw parameterError('jobId')
    const job = table.find(jobId)
    return job ? toJsonResponse(200, toDocument(job)) : toFailedResponse(404, 'No job has this jobId.')
  }

  return [
    { path: '/insightFace/v1/swap', methods: ['POST'], handle: submit },
    { path: '/insightFace/v1/fetch', methods: ['GET', 'POST'], handle: fetchJob },
  ]
}

function getUrl(body: Readonly<Record<string, unknown>>, name: string): string {
  const value = body[name]
  if (typeof value !== 'string' || value.length > MAX_URL_CHARS) throw parameterError(name)
  if (/^https?:$/.test(parseUrl(value)?.protocol ?? '')) return value
  throw parameterError(name)
}

function parameterError(name: string): Refusal {
  return new Refusal(toFailedResponse(400, `'${name}' parameter error!`))
}

function toRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

/** Creates an id with 18 digits, as in the reference: the time in milliseconds, then five random digits. */
function createJobId(now: number): string {
  return `SWAP-FACE-${now}${String(randomInt(100_000)).padStart(5, '0')}`
}

function toHash(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}
