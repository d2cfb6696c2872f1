/**
 * A GraphQL request over HTTP, step by step: read the head, authenticate, take from the budget, read and parse the
 * parameters, try the fast path, then send a stream or a single response.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ExecutionResult } from 'graphql'
import type { Authenticate } from '../../auth/viewer.ts'
import { discardBody } from '../../lib/http/discard-body.ts'
import type { ResponseWithDefaults } from '../../lib/http/response-with-defaults.ts'
import { sendText } from '../../lib/http/send-text.ts'
import type { RequestLimiter } from '../../limits/limiter.ts'
import type { Caller } from '../schema/caller.ts'
import type { FastPath } from '../fast-path/fast-path.ts'
import type { OperationSpan, Tracing } from '../../telemetry/tracing.ts'
import { traceErrors } from '../operation/errors.ts'
import type { Operation, PrepareOperation } from '../operation/prepare-operation.ts'
import type { RecordOperation } from '../operation/record-operation.ts'
import { RequestError } from '../operation/request-error.ts'
import { type EventStreamHandler, STREAM_HEADERS } from '../realtime/event-stream.ts'
import { toContentType } from './accept.ts'
import { authenticateRequest } from './authenticate-request.ts'
import { readHead, type RequestHead } from './read-head.ts'
import { type ReadParams, readParams } from './read-params.ts'
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
  /** Null if traces are off. */
  readonly tracing: Pick<Tracing, 'startOperation'> | null
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** An operation whose caller and parameters are known. */
interface RequestedOperation extends ReadParams {
  readonly head: RequestHead
  readonly caller: Caller
  /** When the request arrived, on the clock of `performance.now()`. */
  readonly startedAt: number
  readonly span: OperationSpan | null
}

export type GraphqlHandler = (request: IncomingMessage, response: ResponseWithDefaults) => Promise<void>

export function createGraphqlHandler(parts: GraphqlHandlerParts): GraphqlHandler {
  const { authenticate, limiter, fastPath, prepare, eventStreams, record, sendPage, markAuthenticated, tracing, now } =
    parts

  const answer = async (request: IncomingMessage, response: ResponseWithDefaults, startedAt: number) => {
    const head = readHead(request, sendPage !== null)
    if (head.wantsPage) return sendPage?.(request, response)
    const viewer = await authenticateRequest(request, authenticate)
    markAuthenticated(request.socket)
    const caller = await takeRequestBudget(viewer, limiter, response, now())
    const read = await readParams(request, head)
    // Only the head would be sent, so the operation is not executed.
    if (head.method === 'HEAD') return response.writeHead(200, head.type === null ? STREAM_HEADERS : {}).end()
    const span = tracing?.startOperation(head.type === null ? 'sse' : 'http', request.headers) ?? null
    const requested = { head, caller, ...read, startedAt, span }
    return span ? span.run(async () => serve(requested, response)) : serve(requested, response)
  }

  const serve = async (requested: RequestedOperation, response: ResponseWithDefaults): Promise<void> => {
    const { head, caller, params, body, startedAt, span } = requested
    const { type, idempotencyKey } = head
    const mayChange = body !== null
    if (type === null) {
      const prepareOwn = () => prepare(caller, params, idempotencyKey, span)
      return eventStreams.open({ caller, prepare: prepareOwn, mayChange, startedAt }, response)
    }

    const fast = await fastPath.tryAnswer({ caller, params, body, idempotencyKey, type: toContentType(type) })
    if (fast?.kind === 'answered') {
      const { status, type: contentType, text, operation } = fast.answer
      span?.identified(operation)
      sendText(response, status, contentType, text)
      return record('http', operation, true, startedAt)
    }
    const operation = await prepare(caller, params, idempotencyKey, span, fast?.useCases)
    if ('errors' in operation) {
      sendResult(response, operation, type)
      return record('http', null, false, startedAt)
    }
    if (operation.type === 'subscription' && head.takesStream)
      return eventStreams.open({ caller, prepare: async () => operation, mayChange, startedAt }, response)
    const refusal = findRefusal(operation, mayChange)
    if (refusal) traceErrors(span, refusal)
    const result = refusal ?? (await operation.execute())
    sendResult(response, result, type)
    record('http', operation, result.errors === undefined, startedAt)
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

/** Why an operation cannot have a single response; null if it can. */
function findRefusal({ type }: Operation, mayChange: boolean): ExecutionResult | null {
  if (type === 'subscription') return refuseSubscription()
  return type === 'mutation' && !mayChange ? refuseMutationOverGet() : null
}
