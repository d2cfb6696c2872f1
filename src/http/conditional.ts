/** Conditional requests (RFC 9110, 13) for a representation that has an entity tag and no modification date. */
import type { IncomingHttpHeaders } from 'node:http'

/**
 * Evaluates the request's preconditions: `proceed`, `notModified` (304) or `failed` (412). Date conditions are ignored,
 * as the RFC requires for a representation without a modification date.
 * @param etag the strong entity tag of the representation, in quotes.
 */
export function checkPreconditions(headers: IncomingHttpHeaders, etag: string): 'proceed' | 'notModified' | 'failed' {
  const { 'if-match': match, 'if-none-match': noneMatch } = headers
  if (match !== undefined && !listsTag(match, etag, false)) return 'failed'
  return noneMatch !== undefined && listsTag(noneMatch, etag, true) ? 'notModified' : 'proceed'
}

/** Whether to apply `Range`: `If-Range`, if sent, must name this representation by its strong tag (13.1.5). */
export function isRangeWanted(headers: IncomingHttpHeaders, etag: string): boolean {
  const ifRange = headers['if-range']
  return headers.range !== undefined && (ifRange === undefined || ifRange === etag)
}

/** @param isWeak whether `W/"x"` counts as `"x"`: proxies weaken the tags of what they compress. */
function listsTag(list: string, etag: string, isWeak: boolean): boolean {
  return list.split(',').some((entry) => {
    const tag = entry.trim()
    return tag === '*' || tag === etag || (isWeak && tag === `W/${etag}`)
  })
}
