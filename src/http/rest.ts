/**
 * REST endpoints compatible with the upstream's `swap` and `fetch`: a client of the upstream only changes its base URL.
 * The gateway's keys, budgets and guarantees apply, and ids are the gateway's.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Authenticate, readCredentials, type Viewer } from '../auth/viewer.ts'
import { GatewayError, toHttpStatus } from '../domain/errors.ts'
import type { StoredImage } from '../domain/image.ts'
import { isLinkAlive } from '../domain/links.ts'
import { toSwapDocument } from '../domain/swap-document.ts'
import type { SwapJob, SwapLinks } from '../domain/swap-job.ts'
import type { CreateSwap, CreateSwapOutcome } from '../jobs/create-swap.ts'
import type { ReadJobs } from '../jobs/read-jobs.ts'
import type { Clock } from '../lib/time/clock.ts'
import { discardBody } from '../lib/http/discard-body.ts'
import { readHeader, readQuery } from '../lib/http/request-head.ts'
import type { ResponseWithDefaults } from '../lib/http/response-with-defaults.ts'
import { readJson } from '../lib/http/read-body.ts'
import { type RequestLimiter, setLimitHeaders } from '../limits/limiter.ts'
import type { Tracing } from '../telemetry/tracing.ts'
import { sendJson } from './respond.ts'

export const REST_PREFIX = '/insightFace/v1/'
/** Fits three URLs of maximum length, in UTF-8. */
const MAX_BODY_BYTES = 128 * 1024
const BUSY_RETRY_S = '5'
const METHODS_OF: ReadonlyMap<string, readonly string[]> = new Map([
  ['swap', ['POST']],
  ['fetch', ['GET', 'HEAD', 'POST']],
])

/** The methods that a path below the prefix accepts; none for an unknown path. */
export function restMethodsOf(path: string): readonly string[] {
  return METHODS_OF.get(path.slice(REST_PREFIX.length)) ?? []
}

export interface RestHandlerParts {
  readonly authenticate: Authenticate
  readonly limiter: RequestLimiter
  /** Called with each connection that has authenticated; it is then exempt from the timeout. */
  readonly markAuthenticated: (connection: Duplex) => void
  readonly createSwap: CreateSwap
  readonly openReading: (viewer: Viewer) => ReadJobs
  readonly findImages: (viewer: Viewer, ids: readonly string[]) => Promise<(StoredImage | null)[]>
  readonly addressOfImage: (image: StoredImage, wanted: object) => string
  /** Null if traces are off. */
  readonly tracing: Pick<Tracing, 'startRequest'> | null
  readonly clock: Pick<Clock, 'now'>
}

/** An error response: its status, and the `message` of its body. */
class RestError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export function createRestHandler(parts: RestHandlerParts) {
  const { authenticate, limiter, markAuthenticated, createSwap, openReading, findImages, addressOfImage } = parts
  const { tracing, clock } = parts

  const admit = async (request: IncomingMessage, response: ResponseWithDefaults): Promise<Viewer> => {
    const { authorization, apiKey } = readCredentials(request)
    const viewer = await authenticate({ authorization, apiKey: readHeader(request, 'tt-api-key') ?? apiKey })
    if (!viewer) throw new RestError(401, 'TT-API-KEY is missing or wrong.')
    markAuthenticated(request.socket)
    const allowance = await limiter.take(viewer.tenant)
    setLimitHeaders(response, allowance, clock.now())
    if (allowance.isSpent) throw new RestError(429, `More than ${allowance.limit} requests in a minute.`)
    return viewer
  }

  const submit = async (viewer: Viewer, request: IncomingMessage, requestId: string): Promise<object> => {
    const { targetImage, swapImage, hookUrl } = await readRecord(request)
    const input = {
      targetImage: { url: targetImage },
      swapImage: { url: swapImage },
      hookUrl: hookUrl === '' ? null : hookUrl,
      hookFormat: 'DOCUMENT',
      idempotencyKey: readHeader(request, 'idempotency-key'),
    }
    const outcome = await createSwap(viewer, input, { requestId })
    return { status: 'SUCCESS', message: '', data: { jobId: toJob(outcome).id } }
  }

  const fetchJob = async (viewer: Viewer, request: IncomingMessage): Promise<object> => {
    const jobId = readQuery(request).get('jobId') ?? (await readRecord(request))['jobId']
    if (typeof jobId !== 'string' || jobId === '') throw parameterError('jobId', 'It must be a non-empty string.')
    const [job] = await openReading(viewer)([jobId])
    if (!job) throw new RestError(404, 'No job has this jobId.')
    return toSwapDocument(job, await linksOf(viewer, job))
  }

  /** The upstream's links, unchanged, until `cdnImage` expires; then the address of the gateway's copy replaces it. */
  const linksOf = async (viewer: Viewer, { links, copyId }: SwapJob): Promise<SwapLinks | null> => {
    if (copyId === null || isLinkAlive(links?.cdnImage ?? null, clock.now())) return links
    const [copy] = await findImages(viewer, [copyId])
    return copy?.status === 'READY' ? { discordImage: null, ...links, cdnImage: addressOfImage(copy, {}) } : links
  }

  const answer = async (request: IncomingMessage, response: ResponseWithDefaults, path: string): Promise<Reply> => {
    const methods = restMethodsOf(path)
    const { method = '' } = request
    if (methods.length === 0) throw new RestError(404, `Nothing is served at ${path.slice(0, 100)}.`)
    if (!methods.includes(method)) {
      response.setHeader('allow', methods.join(', '))
      throw new RestError(405, `${path} takes ${methods.join(' and ')}.`)
    }
    const viewer = await admit(request, response)
    const call = path === `${REST_PREFIX}swap` ? submit : fetchJob
    const serve = async (): Promise<Reply> =>
      call(viewer, request, response.requestId).then((body) => ({ status: 200, body }), toFailureReply)
    const span = tracing?.startRequest(method, path, request.headers)
    if (!span) return serve()
    return span.run(async () => {
      const reply = await serve()
      span.answered(reply.status)
      return reply
    })
  }

  return async (request: IncomingMessage, response: ResponseWithDefaults, path: string): Promise<void> => {
    const { status, body } = await answer(request, response, path).catch(toFailureReply)
    if (status === 499 || status === 503) response.setHeader('retry-after', BUSY_RETRY_S)
    sendJson(response, status, body)
    if (status !== 200) discardBody(request)
  }
}

interface Reply {
  readonly status: number
  readonly body: object
}

/** @throws the error itself if it is unexpected. */
function toFailureReply(error: unknown): Reply {
  const { status, message } = toRestError(error)
  return { status, body: { status: 'FAILED', message, data: null } }
}

/** @throws {RestError} if there is no job, with the status of the upstream's reference if it has one for the case. */
function toJob(outcome: CreateSwapOutcome): SwapJob {
  switch (outcome.kind) {
    case 'created':
      return outcome.job
    case 'refused':
      throw new RestError(400, outcome.job.failure?.message ?? 'The upstream refused the swap.')
    case 'invalid': {
      const [issue] = outcome.issues
      throw parameterError(issue?.path[1] ?? '', issue?.message)
    }
    case 'busy':
      throw new RestError(499, 'The queue is full. Try again later.')
    case 'quotaExceeded':
      throw new RestError(402, outcome.isRefused ? 'Too many swaps were refused today.' : 'Not enough quota for today.')
    case 'keyConflict':
      throw new RestError(409, 'This Idempotency-Key was used with a different input.')
  }
}

/** @throws the error itself if it is unexpected. */
function toRestError(error: unknown): RestError {
  if (error instanceof RestError) return error
  if (!(error instanceof GatewayError)) throw error
  return new RestError(toHttpStatus(error.code), error.message)
}

function parameterError(name: string, why = ''): RestError {
  return new RestError(400, `'${name}' parameter error! ${why}`.trim())
}

/** @throws {RestError} 413, 415 or 400. */
async function readRecord(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const body = await readJson(request, MAX_BODY_BYTES)
  if (body.kind === 'refused') throw new RestError(body.status, body.message)
  const { value = {} } = body
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RestError(400, 'The body must be a JSON object.')
  }
  return { ...value }
}
