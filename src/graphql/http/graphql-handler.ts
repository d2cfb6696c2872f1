/**
 * A GraphQL request over HTTP, step by step: read the head, authenticate, take from the budget, read and parse the
 * parameters, try the fast path, then answer with a stream or with one response.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ExecutionResult } from 'graphql'
import type { Authenticate } from '../../auth/viewer.ts'
import { discardBody } from '../../lib/http/discard-body.ts'
import type { ResponseWithDefaults } from '../../lib/http/response-with-defaults.ts'
import { sendText } from '../../lib/http/send-text.ts'
import type { RequestLimiter } from '../../limits/limiter.ts'
import type { FastPath } from '../fast-path/fast-path.ts'
import type { Operation, PrepareOperation } from '../operation/prepare-operation.ts'
import type { RecordOperation } from '../operation/record-operation.ts'
import { RequestError } from '../operation/request-error.ts'
import { type EventStreamHandler, STREAM_HEADERS } from '../realtime/event-stream.ts'
import { toContentType } from './accept.ts'
import { authenticateRequest } from './authenticate-request.ts'
import { readHead } from './read-head.ts'
import { readParams } from './read-params.ts'
import { sendRequestError, sendResult } from './send-result.ts'
import { takeRequestBudget } from './take-request-budget.ts'
import { refuseMutationOverGet, refuseSubscription } from '../operation/refusals.ts'

export interface GraphqlHandlerParts {
  readonly authenticate: Authenticate
  readonly limiter: RequestLimiter
  readonly fastPath: FastPath
  readonly prepare: PrepareOperation
  readonly eventStreams: EventStreamHandler
  readonly record: RecordOperation
  /** Sends the GraphiQL page to a browser that opens the endpoint; null if the page is not served. */
  readonly sendPage: ((request: IncomingMessage, response: ResponseWithDefaults) => unknown) | null
  /** Called with each connection that has authenticated. */
  readonly markAuthenticated: (connection: Duplex) => void
  /** Epoch milliseconds. */
  readonly now: () => number
}

export type GraphqlHandler = (request: IncomingMessage, response: ResponseWithDefaults) => Promise<void>

export function createGraphqlHandler(parts: GraphqlHandlerParts): GraphqlHandler {
  const { authenticate, limiter, fastPath, prepare, eventStreams, record, sendPage, markAuthenticated, now } = parts

  const answer = async (request: IncomingMessage, response: ResponseWithDefaults, startedAt: number) => {
    const head = readHead(request, sendPage !== null)
    if (head.wantsPage) return sendPage?.(request, response)
    const viewer = await authenticateRequest(request, authenticate)
    markAuthenticated(request.socket)
    const caller = await takeRequestBudget(viewer, limiter, response, now())
    const { params, body } = await readParams(request, head)
    const { type, idempotencyKey } = head
    // Only the head would be sent, so the operation is not executed.
    if (head.method === 'HEAD') return response.writeHead(200, type === null ? STREAM_HEADERS : {}).end()
    const mayChange = body !== null
    if (type === null) {
      const open = () => prepare(caller, params, idempotencyKey)
      return eventStreams.open({ caller, prepare: open, mayChange, startedAt }, response)
    }

    const fast = await fastPath.tryAnswer({ caller, params, body, idempotencyKey, type: toContentType(type) })
    if (fast?.kind === 'answered') {
      sendText(response, fast.answer.status, fast.answer.type, fast.answer.text)
      return record('http', fast.answer.operation, true, startedAt)
    }
    const send = (result: ExecutionResult, operation: Operation | null) => {
      sendResult(response, result, type)
      record('http', operation, result.errors === undefined, startedAt)
    }
    const operation = await prepare(caller, params, idempotencyKey, fast?.useCases)
    if ('errors' in operation) return send(operation, null)
    if (operation.type === 'subscription') {
      if (!head.takesStream) return send(refuseSubscription(), operation)
      return eventStreams.open({ caller, prepare: async () => operation, mayChange, startedAt }, response)
    }
    if (operation.type === 'mutation' && !mayChange) return send(refuseMutationOverGet(), operation)
    return send(await operation.execute(), operation)
  }

  return async (request, response) => {
    const startedAt = performance.now()
    try {
      await answer(request, response, startedAt)
    } catch (error) {
      if (!response.destroyed) record('http', null, false, startedAt)
      if (!(error instanceof RequestError)) throw error
      sendRequestError(response, error)
      discardBody(request)
    }
  }
}
