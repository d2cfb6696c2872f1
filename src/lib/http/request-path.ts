import type { IncomingMessage } from 'node:http'

/** The path of a request as it was sent: no query, nothing decoded, nothing normalised. */
export function readPath(request: IncomingMessage): string {
  const url = request.url ?? '/'
  const query = url.indexOf('?')
  return query === -1 ? url : url.slice(0, query)
}

/** What stands after the path, decoded; empty where there is nothing. */
export function readQuery(request: IncomingMessage): URLSearchParams {
  const url = request.url ?? ''
  const query = url.indexOf('?')
  return new URLSearchParams(query === -1 ? '' : url.slice(query + 1))
}
