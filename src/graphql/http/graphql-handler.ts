/**
 * What every GraphQL request over HTTP passes before anything is parsed: method and content type, who asks, how often,
 * and how much. What is left over is one operation of a known caller, for the stream door or for Yoga.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { getOperationAST, GraphQLError, OperationTypeNode, parse } from 'graphql'
import { readCredentials } from '../../auth/viewer.ts'
import { setLimitHeaders } from '../../limits/limiter.ts'
import { discardBody } from '../../lib/http/discard-body.ts'
import { readHeader } from '../../lib/http/read-header.ts'
import { readQuery } from '../../lib/http/request-path.ts'
import { sendText } from '../../lib/http/send-text.ts'
import type { ResponseWithDefaults } from '../../lib/http/response-with-defaults.ts'
import {
  EVENT_STREAM_TYPE,
  GRAPHQL_RESPONSE_TYPE,
  JSON_TYPE,
  negotiate,
  type ResponseType,
  toContentType,
  toDocumentErrorStatus,
} from './accept.ts'
import type { Admission } from '../operation/admission.ts'
import type { Caller } from '../operation/caller.ts'
import { checkDocumentText } from '../operation/document-limits.ts'
import { type EventStreamHandler, STREAM_HEADERS, type StreamRequest } from '../realtime/event-stream.ts'
import type { UseCases } from '../schema/context.ts'
import type { FastPath } from '../fast-path/fast-path.ts'
import type { OperationScheduler } from '../operation/operation-scheduler.ts'
import type { OperationParams } from '../operation/prepare-operation.ts'
import { parseBody, parseQuery } from '../operation/params.ts'
import { checkContentHeaders, isSmallBody, readGraphqlBody } from './request-body.ts'
import { RequestError } from '../operation/request-error.ts'
import type { FindDocument } from '../operation/trusted-documents.ts'

/** What Yoga is given beside the request: who asks. */
export interface Admitted {
  readonly caller: Caller
  /** Where the lanes may keep the answer. */
  readonly cacheKey?: string
  /** Instead of the usual ones: those with which the request has been begun. */
  readonly useCases?: UseCases
}

/** Yoga as it takes a Node request, whose body has been read. */
export type AnswerRequest = (
  request: IncomingMessage & { readonly body?: object },
  response: ResponseWithDefaults,
  admitted: Partial<Admitted>,
) => unknown

export interface GraphqlHandlerParts {
  readonly admission: Admission
  readonly findDocument: FindDocument
  readonly eventStreams: EventStreamHandler
  readonly fastPath: FastPath
  readonly scheduler: Pick<OperationScheduler, 'begin'>
  readonly yoga: AnswerRequest
  /** Hears which connections are of somebody who is known. */
  readonly markAuthenticated: (connection: Duplex) => void
  /** Whether browsers are shown the GraphiQL page. */
  readonly hasPage: boolean
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** One request that is answered in one piece, unless it turns out to be a subscription. */
interface SingleRequest extends StreamRequest {
  readonly type: ResponseType
  /** Whether a stream is acceptable as well. */
  readonly takesStream: boolean
  /** Names the request in the lanes; null if they have no part in it. */
  readonly key: string | null
}

export function createGraphqlHandler(parts: GraphqlHandlerParts) {
  const { admission, findDocument, eventStreams, fastPath, scheduler, yoga, markAuthenticated, hasPage, now } = parts

  const admit = async (request: IncomingMessage, response: ResponseWithDefaults): Promise<Caller> => {
    const viewer = await admission.authenticate(readCredentials(request))
    if (!viewer) {
      throw new RequestError(401, 'UNAUTHENTICATED', 'Send an API key or a token: Authorization: Bearer …', {
        'www-authenticate': 'Bearer realm="swapface-gateway"',
      })
    }
    markAuthenticated(request.socket)
    const caller = await admission.count(viewer)
    setLimitHeaders(response, caller.allowance, now())
    return caller
  }

  /** The document to run. @throws {RequestError} with the status of a document that cannot run. */
  const find = (params: OperationParams, type: ResponseType): string => {
    try {
      const text = findDocument(params)
      if (!fastPath.isLearned(text)) checkDocumentText(text)
      return text
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error
      const status = toDocumentErrorStatus(type)
      const headers = { 'content-type': toContentType(type) }
      throw new RequestError(status, String(error.extensions['code']), error.message, headers)
    }
  }

  const stream = async (request: StreamRequest, response: ResponseWithDefaults): Promise<void> => {
    if (await eventStreams.open(request, response)) return
    throw new RequestError(503, 'UNAVAILABLE', 'Too many streams are open. Try again later.', { 'retry-after': '5' })
  }

  /** Runs an operation that is answered in one piece: in the lanes if they know its document, in Yoga otherwise. */
  const execute = async (
    { caller, params, idempotencyKey, mayChange, type, takesStream, key }: SingleRequest,
    request: IncomingMessage,
    response: ResponseWithDefaults,
  ): Promise<unknown> => {
    const { operationName, variables } = params
    const query = find(params, type)
    if (takesStream && isSubscription(query, operationName)) {
      return stream({ caller, params, idempotencyKey, mayChange }, response)
    }
    const operation = { query, operationName, variables }
    const outcome =
      key === null
        ? null
        : await fastPath.answer({
            caller,
            text: query,
            operationName,
            variables: variables ?? {},
            idempotencyKey,
            type: toContentType(type),
            key,
          })
    if (outcome?.kind === 'answered') {
      const { answer } = outcome
      return sendText(response, answer.status, answer.type, answer.text)
    }
    const admitted = {
      caller,
      ...(outcome && { useCases: outcome.useCases }),
      ...(key !== null && { cacheKey: key }),
    }
    // Reading a new document takes milliseconds.
    await scheduler.begin(caller.viewer.tenant)
    // Yoga's own negotiation ignores weights.
    request.headers.accept = type
    if (mayChange) return yoga(Object.assign(request, { body: operation }), response, admitted)
    request.url = toAddress(operation)
    return yoga(request, response, admitted)
  }

  const answer = async (request: IncomingMessage, response: ResponseWithDefaults): Promise<unknown> => {
    const isPost = request.method === 'POST'
    const isHead = request.method === 'HEAD'
    // The page is rendered as for GET; Node omits the body.
    if (isHead) request.method = 'GET'
    if (hasPage && !isPost && wantsPage(request)) {
      response.setHeader('content-security-policy', PAGE_POLICY)
      return yoga(request, response, {})
    }
    if (!isPost && request.method !== 'GET')
      throw new RequestError(405, 'METHOD_NOT_ALLOWED', 'Send POST or GET.', { allow: 'GET, HEAD, POST' })
    checkContentHeaders(request, isPost)
    const { type, takesStream, prefersStream } = negotiate(request.headers.accept)
    if (type === null && !takesStream) throw new RequestError(406, 'NOT_ACCEPTABLE', NOT_ACCEPTABLE)
    // Reading a small body before authentication costs nothing: Node holds it in memory anyway.
    const small = isPost && isSmallBody(request) ? await readGraphqlBody(request) : null
    const caller = await admit(request, response)
    const body = small ?? (isPost ? await readGraphqlBody(request) : null)
    const isSingle = type !== null && !prefersStream
    // Yoga answers a caller whose requests are used up.
    const isCacheable = body !== null && isSingle && !caller.allowance.isSpent && fastPath.takes(body)
    const key = isCacheable ? fastPath.keyOf(caller.viewer, body) : null
    const kept = key !== null && isSingle ? await fastPath.recall(caller.viewer, key, toContentType(type)) : null
    if (kept) return sendText(response, kept.status, kept.type, kept.text)
    const params = body ? parseBody(body) : parseQuery(readQuery(request))
    // Only the head would be sent, so the operation is not executed.
    if (isHead) return response.writeHead(200, isSingle ? {} : STREAM_HEADERS).end()
    const idempotencyKey = readHeader(request, 'idempotency-key')
    const operation = { caller, params, idempotencyKey, mayChange: isPost }
    return isSingle ? execute({ ...operation, type, takesStream, key }, request, response) : stream(operation, response)
  }

  return async (request: IncomingMessage, response: ResponseWithDefaults): Promise<void> => {
    try {
      await answer(request, response)
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      const { status, headers, code, message } = error
      const text = JSON.stringify({ errors: [{ message, extensions: { code } }] })
      response.writeHead(status, {
        'content-type': toContentType(JSON_TYPE),
        ...headers,
        'content-length': Buffer.byteLength(text),
      })
      response.end(text)
      discardBody(request)
    }
  }
}

/** The page loads its own scripts; other pages may not frame it. */
const PAGE_POLICY = "frame-ancestors 'none'; base-uri 'none'; object-src 'none'"

const NOT_ACCEPTABLE = `The accept header names no type that can be served. Accept ${GRAPHQL_RESPONSE_TYPE} or ${JSON_TYPE}; for a subscription, accept ${EVENT_STREAM_TYPE} (SSE) or use a WebSocket with the subprotocol graphql-transport-ws.`

function wantsPage({ headers }: IncomingMessage): boolean {
  return headers.accept?.includes('text/html') === true
}

/** Whether the named operation is a subscription. A document that cannot be parsed is none: Yoga says what is wrong. */
function isSubscription(text: string, operationName: string | null): boolean {
  if (!text.includes('subscription')) return false
  try {
    return (
      getOperationAST(parse(text, { noLocation: true }), operationName)?.operation === OperationTypeNode.SUBSCRIPTION
    )
  } catch {
    return false
  }
}

function toAddress({
  query,
  operationName,
  variables,
}: Pick<OperationParams, 'query' | 'operationName' | 'variables'>): string {
  const search = new URLSearchParams({
    query: query ?? '',
    ...(operationName !== null && { operationName }),
    ...(variables !== null && { variables: JSON.stringify(variables) }),
  })
  return `/graphql?${search.toString()}`
}
