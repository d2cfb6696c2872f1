/**
 * Masks and formats the `errors` list, the same over HTTP, SSE and WebSocket and independent of `NODE_ENV`. An expected
 * error keeps its message and gets a code; any other error becomes "Unexpected error."
 */
import { type ExecutionResult, type FormattedExecutionResult, GraphQLError, type GraphQLFormattedError } from 'graphql'
import { GatewayError, toHttpStatus } from '../../domain/errors.ts'
import type { OperationSpan } from '../../telemetry/tracing.ts'

/** @param requestId of the request that has the error; null if it is not known, or if several share it. */
export type MaskError = (error: unknown, requestId: string | null) => GraphQLError

/** @param onUnexpected called with each error that is hidden from the caller. */
export function createErrorMask(onUnexpected: (error: unknown, requestId: string | null) => void): MaskError {
  return (error, requestId) => {
    const original = error instanceof GraphQLError ? error.originalError : error
    if (error instanceof GraphQLError && (!(original instanceof Error) || original instanceof GraphQLError)) {
      return withCode(error)
    }
    const { nodes, path } = error instanceof GraphQLError ? error : {}
    const at = { ...(nodes && { nodes }), ...(path && { path }) }
    if (original instanceof GatewayError) {
      const { code, message } = original
      // An error with a path belongs to one field, so it does not change the status of the response.
      const http = path ? {} : { http: { status: toHttpStatus(code) } }
      return new GraphQLError(message, { ...at, extensions: { code, ...http } })
    }
    onUnexpected(original, requestId)
    const http = path ? {} : { http: { status: 500 } }
    return new GraphQLError('Unexpected error.', { ...at, extensions: { code: 'INTERNAL_SERVER_ERROR', ...http } })
  }
}

/** Adds BAD_USER_INPUT to a request error of the engine without a code, for example about a variable. */
function withCode(error: GraphQLError): GraphQLError {
  if (error.path || typeof error.extensions['code'] === 'string') return error
  return withExtensions(error, { ...error.extensions, code: 'BAD_USER_INPUT' })
}

/** Copies an error with other extensions; message, locations and path stay. */
export function withExtensions(error: GraphQLError, extensions: Record<string, unknown>): GraphQLError {
  const { message, nodes = null, source = null, positions = null, path = null } = error
  return new GraphQLError(message, { nodes, source, positions, path, extensions })
}

/** The HTTP status in `extensions.http`; null if there is none. */
export function readHttpStatus({ extensions }: GraphQLError): number | null {
  const http: unknown = extensions['http']
  const status = typeof http === 'object' && http !== null && 'status' in http ? http.status : null
  return typeof status === 'number' ? status : null
}

/** Formats an error for the caller, without `extensions.http`, which is for the HTTP response. */
export function formatError(error: GraphQLError): GraphQLFormattedError {
  const { extensions, ...formatted } = error.toJSON()
  if (!extensions || !('http' in extensions)) return { ...formatted, ...(extensions && { extensions }) }
  const { http: _http, ...visible } = extensions
  return { ...formatted, extensions: visible }
}

/** Marks the operation's span as failed, with the code of the first error, if the result has errors. */
export function traceErrors(span: OperationSpan | null, { errors }: Pick<ExecutionResult, 'errors'>): void {
  const [first] = errors ?? []
  if (span === null || first === undefined) return
  const { code } = first.extensions
  span.failed(typeof code === 'string' ? code : 'EXECUTION_FAILED')
}

/** Formats a result for the caller (`formatError`). */
export function formatResult(result: ExecutionResult): ExecutionResult | FormattedExecutionResult {
  return result.errors ? { ...result, errors: result.errors.map(formatError) } : result
}
