/** Results for valid operations that the request's method or media type does not allow. */
import { type ExecutionResult, GraphQLError } from 'graphql'

const WANTS_STREAM =
  'A subscription is answered with a stream. Send accept: text/event-stream (SSE), or use a WebSocket with the subprotocol graphql-transport-ws.'

/** For a subscription whose client accepts no stream. */
export function refuseSubscription(): ExecutionResult {
  return refuse(WANTS_STREAM, 'NOT_ACCEPTABLE', 406)
}

/** A GET must not change anything: browsers, crawlers and proxies repeat it at will. */
export function refuseMutationOverGet(): ExecutionResult {
  return refuse('Send a mutation with POST.', 'METHOD_NOT_ALLOWED', 405)
}

function refuse(message: string, code: string, status: number): ExecutionResult {
  return { errors: [new GraphQLError(message, { extensions: { code, http: { status } } })] }
}
