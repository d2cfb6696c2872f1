/**
 * What leaves in the `errors` list. Over HTTP, SSE and WebSocket alike, and whatever `NODE_ENV` says: a call that
 * failed as expected keeps its message and gets its code; anything else becomes one plain sentence.
 */
import { type ExecutionResult, type FormattedExecutionResult, GraphQLError, type GraphQLFormattedError } from 'graphql'
import { GatewayError, toHttpStatus } from '../../domain/errors.ts'

/** @param onUnexpected hears of each error that is hidden from the caller. */
export function createErrorMask(onUnexpected: (error: unknown) => void): (error: unknown) => GraphQLError {
  return (error) => {
    const original = error instanceof GraphQLError ? error.originalError : error
    if (error instanceof GraphQLError && (!(original instanceof Error) || original instanceof GraphQLError)) {
      return withCode(error)
    }
    const { nodes, path } = error instanceof GraphQLError ? error : {}
    const at = { ...(nodes && { nodes }), ...(path && { path }) }
    if (original instanceof GatewayError) {
      const { code, message } = original
      // An error of one field of an answer leaves the answer's status alone; the others have no answer to spoil.
      const http = path ? {} : { http: { status: toHttpStatus(code) } }
      return new GraphQLError(message, { ...at, extensions: { code, ...http } })
    }
    onUnexpected(original)
    const http = path ? {} : { http: { status: 500 } }
    return new GraphQLError('Unexpected error.', { ...at, extensions: { code: 'INTERNAL_SERVER_ERROR', ...http } })
  }
}

/** What the engine says of a document or its variables is for the caller; it comes without a code where it is variables. */
function withCode(error: GraphQLError): GraphQLError {
  if (error.path || typeof error.extensions['code'] === 'string') return error
  return withExtensions(error, { ...error.extensions, code: 'BAD_USER_INPUT' })
}

/** The same error, at the same place of the document, with other extensions. */
export function withExtensions(error: GraphQLError, extensions: Record<string, unknown>): GraphQLError {
  const { message, nodes = null, source = null, positions = null, path = null } = error
  return new GraphQLError(message, { nodes, source, positions, path, extensions })
}

/** The status that an error asks for in `extensions.http`; null if it asks for none. */
export function readHttpStatus({ extensions }: GraphQLError): number | null {
  const http: unknown = extensions['http']
  const status = typeof http === 'object' && http !== null && 'status' in http ? http.status : null
  return typeof status === 'number' ? status : null
}

/** What callers see of an error: all but `extensions.http`, which is for the HTTP response. */
export function formatError(error: GraphQLError): GraphQLFormattedError {
  const { extensions, ...formatted } = error.toJSON()
  if (!extensions || !('http' in extensions)) return { ...formatted, ...(extensions && { extensions }) }
  const { http: _http, ...visible } = extensions
  return { ...formatted, extensions: visible }
}

/** What callers see of a result. */
export function formatResult(result: ExecutionResult): ExecutionResult | FormattedExecutionResult {
  return result.errors ? { ...result, errors: result.errors.map(formatError) } : result
}
