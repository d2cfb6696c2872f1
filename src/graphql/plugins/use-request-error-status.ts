/**
 * The HTTP status of a request error: one that leaves no `data` because the document, or its variables, cannot be run
 * (GraphQL over HTTP, 6.4). 400, so that every client and proxy sees it; 200 only for a client that takes
 * `application/json` and nothing else, as that media type wants it (6.4.1).
 */
import type { Plugin } from 'graphql-yoga'
import type { GraphQLError } from 'graphql'
import { withExtensions } from '../errors.ts'

export function useRequestErrorStatus(): Plugin {
  return {
    // The last step before an answer: what is wrong with the request itself never gets as far as an execution.
    onResultProcess: ({ request, result, setResult }) => {
      if (!result || Array.isArray(result) || !('errors' in result) || !result.errors || 'data' in result) return
      // A field that failed, the root of a subscription say, is no fault of the document: the stream carries it.
      if (result.errors.some(({ path }) => path)) return
      const status = asksForJsonOnly(request) && !result.errors.some(isAboutRequest) ? 200 : 400
      setResult({ ...result, errors: result.errors.map((error) => withStatus(error, status)) })
    },
  }
}

function withStatus(error: GraphQLError, status: number): GraphQLError {
  const http: unknown = error.extensions?.['http']
  // A status that is not the default of this rule (405 for a mutation over GET, say) says more than it.
  if (typeof http === 'object' && http !== null && !('spec' in http)) return error
  return withExtensions(error, { ...error.extensions, http: { status } })
}

/** Whether there was no document to run: no JSON, or no query in it. */
function isAboutRequest({ extensions }: GraphQLError): boolean {
  return extensions?.['code'] === 'BAD_REQUEST'
}

/** Whether `application/json` is all the client takes: one that names it beside others can read a 400. */
function asksForJsonOnly(request: Request): boolean {
  return /^application\/json\s*(?:;[^,]*)?$/i.test(request.headers.get('accept')?.trim() ?? '')
}
