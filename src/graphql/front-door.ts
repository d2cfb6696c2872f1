/**
 * What every GraphQL request over HTTP passes before anything is parsed: method and content type, who asks, how often,
 * and how much. What is left over is one operation of a known caller, for the stream door or for Yoga.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { GraphQLError } from 'graphql'
import { readCredentials } from '../auth/viewer.ts'
import { setLimitHeaders } from '../limits/limiter.ts'
import { discardBody } from '../lib/discard-body.ts'
import { readBody } from '../lib/read-body.ts'
import { readHeader } from '../lib/read-header.ts'
import { readQuery } from '../lib/request-path.ts'
import { sendText } from '../lib/send-text.ts'
import type { StandingResponse } from '../lib/standing-response.ts'
import type { Admission } from './admission.ts'
import type { Caller } from './caller.ts'
import { checkDocumentText } from './document-limits.ts'
import { type EventStreamDoor, STREAM_HEADERS, wantsEventStream } from './event-stream.ts'
import type { UseCases } from './context.ts'
import type { Lanes } from './lanes/lanes.ts'
import type { OperationParams } from './operations.ts'
import { parseBody, parseQuery } from './params.ts'
import type { FindDocument } from './trusted-documents.ts'

const MAX_BODY_BYTES = 256 * 1024
const SMALL_BODY_BYTES = 16 * 1024
const JSON_TYPES: ReadonlySet<string> = new Set(['application/json', 'application/graphql+json'])

/** What Yoga is given beside the request: who asks. */
export interface Admitted {
  readonly caller: Caller
  /** Where the lanes may keep the answer. */
  readonly laneKey?: string
  /** Instead of the usual ones: those with which the request has been begun. */
  readonly useCases?: UseCases
}

/** Yoga as it takes a Node request, whose body has been read. */
export type AnswerRequest = (
  request: IncomingMessage & { readonly body?: object },
  response: StandingResponse,
  admitted: Partial<Admitted>,
) => unknown

export interface FrontDoorParts {
  readonly admission: Admission
  readonly findDocument: FindDocument
  readonly eventStreams: EventStreamDoor
  readonly lanes: Lanes
  readonly yoga: AnswerRequest
  /** Hears which connections are of somebody who is known. */
  readonly welcome: (connection: Duplex) => void
  /** Whether browsers are shown the GraphiQL page. */
  readonly hasPage: boolean
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** A request that is not answered, and why. */
class Refused extends Error {
  readonly status: number
  readonly code: string
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.status = status
    this.code = code
    this.headers = headers
  }
}

export function createFrontDoor(parts: FrontDoorParts) {
  const { admission, findDocument, eventStreams, lanes, yoga, welcome, hasPage, now } = parts

  const admit = async (request: IncomingMessage, response: StandingResponse): Promise<Caller> => {
    const viewer = await admission.authenticate(readCredentials(request))
    if (!viewer) {
      throw new Refused(401, 'UNAUTHENTICATED', 'Show an API key or a token: Authorization: Bearer …', {
        'www-authenticate': 'Bearer realm="swapface-gateway"',
      })
    }
    welcome(request.socket)
    const caller = await admission.count(viewer)
    setLimitHeaders(response, caller.allowance, now())
    return caller
  }

  const answer = async (request: IncomingMessage, response: StandingResponse) => {
    const isPost = request.method === 'POST'
    const isHead = request.method === 'HEAD'
    // The page is rendered as for GET; Node omits the body.
    if (isHead) request.method = 'GET'
    if (hasPage && !isPost && wantsPage(request)) {
      response.setHeader('content-security-policy', PAGE_POLICY)
      await yoga(request, response, {})
      return
    }
    if (!isPost && request.method !== 'GET')
      throw new Refused(405, 'METHOD_NOT_ALLOWED', 'Send POST or GET.', { allow: 'GET, HEAD, POST' })
    if (!hasJsonType(request, isPost)) {
      // What a web page of any origin can send without asking first (CORS "simple" requests), and what nobody sends.
      throw new Refused(415, 'UNSUPPORTED_MEDIA_TYPE', 'Send GraphQL as application/json.')
    }
    // Before it is known who asks, where Node would hold it for us anyway: in one go it costs less.
    const small = isPost && readLength(request) <= SMALL_BODY_BYTES ? await read(request) : null
    const caller = await admit(request, response)
    const body = small ?? (isPost ? await read(request) : null)
    const wantsStream = wantsEventStream(request)
    // What is spent is said by Yoga; a stream is none of the lanes'.
    const format = body && !caller.allowance.isSpent && !wantsStream ? lanes.formatOf(request, body) : null
    const key = body && format !== null ? lanes.keyOf(caller.viewer, body) : ''
    const kept = format === null ? null : await lanes.recall(request, caller.viewer, key)
    if (kept) return sendText(response, kept.status, kept.type, kept.text)
    const params = body ? parseBody(body) : parseQuery(readQuery(request))
    if (!params) {
      throw new Refused(400, 'BAD_REQUEST', 'Send {"query": "…"}, with variables and operationName where needed.')
    }
    // Only the head would be sent, so the operation is not executed.
    if (isHead) return response.writeHead(200, wantsStream ? STREAM_HEADERS : {}).end()
    const idempotencyKey = readHeader(request, 'idempotency-key')
    if (wantsStream) {
      if (await eventStreams.open({ caller, params, idempotencyKey, mayChange: isPost }, response)) return
      throw new Refused(503, 'UNAVAILABLE', 'Too many streams. Try again later.', { 'retry-after': '5' })
    }
    const { operationName, variables } = params
    const query = find(params)
    const outcome =
      format === null
        ? null
        : await lanes.answer({
            caller,
            text: query,
            operationName: operationName ?? null,
            variables: variables ?? {},
            idempotencyKey,
            accept: request.headers.accept ?? '',
            type: format,
            key,
          })
    if (outcome?.kind === 'answered') {
      const { status, type, text } = outcome.answer
      return sendText(response, status, type, text)
    }
    const admitted = {
      caller,
      ...(outcome && { useCases: outcome.useCases }),
      ...(format !== null && { laneKey: key }),
    }
    const operation = { query, operationName, variables }
    if (!isPost) request.url = toAddress(operation)
    await yoga(isPost ? Object.assign(request, { body: operation }) : request, response, admitted)
    if (isPost) lanes.noteFormat(request, response)
  }

  const find = (params: OperationParams): string => {
    try {
      const text = findDocument(params)
      if (!lanes.isLearned(text)) checkDocumentText(text)
      return text
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error
      throw new Refused(400, String(error.extensions['code']), error.message)
    }
  }

  return async (request: IncomingMessage, response: StandingResponse): Promise<void> => {
    try {
      await answer(request, response)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      const { status, headers, code, message } = error
      const text = JSON.stringify({ errors: [{ message, extensions: { code } }] })
      const length = Buffer.byteLength(text)
      response.writeHead(status, {
        ...headers,
        'content-type': 'application/json; charset=utf-8',
        'content-length': length,
      })
      response.end(text)
      discardBody(request)
    }
  }
}

/** The page loads what is inside it; only that others frame it is refused. */
const PAGE_POLICY = "frame-ancestors 'none'; base-uri 'none'; object-src 'none'"

function wantsPage({ headers }: IncomingMessage): boolean {
  return headers.accept?.includes('text/html') === true
}

/** A GET has no body, and where it names a type all the same it is one that a page cannot send without asking. */
function hasJsonType({ headers }: IncomingMessage, isPost: boolean): boolean {
  const type = headers['content-type']
  if (type === undefined) return !isPost
  return JSON_TYPES.has(type) || JSON_TYPES.has(type.split(';')[0]?.trim().toLowerCase() ?? '')
}

/** NaN where it is not said before. */
function readLength({ headers }: IncomingMessage): number {
  return Number(headers['content-length'])
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const isTooLong = readLength(request) > MAX_BODY_BYTES
  const body = isTooLong ? null : await readBody(request, MAX_BODY_BYTES)
  if (body === null) {
    throw new Refused(413, 'TOO_LARGE', `A request has at most ${MAX_BODY_BYTES} bytes.`)
  }
  return body
}

function toAddress({ query, operationName, variables }: Omit<OperationParams, 'documentId'>): string {
  const search = new URLSearchParams({
    query: query ?? '',
    ...(operationName != null && { operationName }),
    ...(variables != null && { variables: JSON.stringify(variables) }),
  })
  return `/graphql?${search.toString()}`
}
