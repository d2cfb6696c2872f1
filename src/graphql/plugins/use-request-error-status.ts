/**
 * The HTTP status of a request error: a well-formed request whose document, or whose variables, cannot run, so that
 * there is no `data` (GraphQL over HTTP, 6.4). 200 as `application/json`, 400 as `application/graphql-response+json`.
 * An error with a status of its own keeps it: 405 for a mutation over GET, 429, 503.
 */
import type { ExecutionResult, GraphQLError } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import { toDocumentErrorStatus } from '../http/accept.ts'
import { withExtensions } from '../operation/errors.ts'

export function useRequestErrorStatus(): Plugin {
  return {
    // The last step before the response: request errors never reach an execution hook.
    onResultProcess: ({ request, result, setResult }) => {
      if (!isRequestError(result)) return
      // The front door has reduced the header to the type of the response.
      const status = toDocumentErrorStatus(request.headers.get('accept'))
      setResult({ ...result, errors: result.errors.map((error) => withStatus(error, status)) })
    },
  }
}

/** Whether nothing was executed. @param result of Yoga, in any of its forms. */
export function isRequestError(
  result: unknown,
): result is ExecutionResult & { readonly errors: readonly GraphQLError[] } {
  return typeof result === 'object' && result !== null && 'errors' in result && !!result.errors && !('data' in result)
}

function withStatus(error: GraphQLError, status: number): GraphQLError {
  const http: unknown = error.extensions?.['http']
  const own = typeof http === 'object' && http !== null && 'status' in http ? http.status : 400
  // 400 is what Yoga gives documents that cannot run, whatever the media type.
  if (own !== 400) return error
  return withExtensions(error, { ...error.extensions, http: { status } })
}
