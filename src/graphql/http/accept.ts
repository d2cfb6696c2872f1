/**
 * Content negotiation: which media type the `Accept` header of a GraphQL request chooses (RFC 9110, 12.5.1; GraphQL over
 * HTTP, 6). The type decides the status of a document that cannot run: 200 for `application/json`, 400 for
 * `application/graphql-response+json` (sections 6.4.1 and 6.4.2).
 */
import { LRUCache } from 'lru-cache'

export const JSON_TYPE = 'application/json'
export const GRAPHQL_RESPONSE_TYPE = 'application/graphql-response+json'
export const EVENT_STREAM_TYPE = 'text/event-stream'

export type ResponseType = typeof JSON_TYPE | typeof GRAPHQL_RESPONSE_TYPE

export interface Accepted {
  /** The type of a single response; null if neither is acceptable. */
  readonly type: ResponseType | null
  /** Whether a stream is acceptable. */
  readonly takesStream: boolean
  /** Whether a stream is preferred for every operation, queries and mutations included. */
  readonly prefersStream: boolean
}

interface MediaRange {
  readonly type: string
  /** Weight, 0 to 1; 0 means not acceptable. */
  readonly q: number
  /** Position in the header. */
  readonly at: number
}

/** In order of preference, for a range that matches several types. */
const SUPPORTED = [JSON_TYPE, GRAPHQL_RESPONSE_TYPE, EVENT_STREAM_TYPE] as const

/** Cache of parsed headers: clients send few variants. Longer headers are parsed each time. */
const MAX_KNOWN = 20
const MAX_KNOWN_CHARS = 200
const known = new LRUCache<string, Accepted>({ max: MAX_KNOWN })

/**
 * The highest weight wins; of equal weights, the type that is listed first. Without a header, and for a wildcard, that is
 * `application/json`.
 */
export function negotiate(accept: string = ''): Accepted {
  const found = known.get(accept)
  if (found) return found
  const accepted = choose(parseAccept(accept.trim() === '' ? '*/*' : accept))
  if (accept.length <= MAX_KNOWN_CHARS) known.set(accept, accepted)
  return accepted
}

function choose(ranges: readonly MediaRange[]): Accepted {
  const matches = SUPPORTED.flatMap((type) => {
    const range = findRange(ranges, type)
    return range && range.q > 0 ? [{ type, q: range.q, at: range.at }] : []
  }).toSorted((a, b) => b.q - a.q || a.at - b.at)
  const single = matches.flatMap(({ type }) => (type === EVENT_STREAM_TYPE ? [] : [type]))
  return {
    type: single[0] ?? null,
    takesStream: matches.some(({ type }) => type === EVENT_STREAM_TYPE),
    prefersStream: matches[0]?.type === EVENT_STREAM_TYPE,
  }
}

export function toContentType(type: ResponseType): string {
  return `${type}; charset=utf-8`
}

/** The status of a well-formed request whose document cannot run. */
export function toDocumentErrorStatus(type: string | null): 200 | 400 {
  return type === GRAPHQL_RESPONSE_TYPE ? 400 : 200
}

/** Ranges in the order of the header. A range for another charset than UTF-8 cannot be served and is left out. */
function parseAccept(accept: string): MediaRange[] {
  return accept
    .toLowerCase()
    .split(',')
    .flatMap((part, at) => {
      const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim())
      const charset = findParameter(parameters, 'charset')
      if (type === '' || (charset !== null && !isUtf8(charset))) return []
      return [{ type, q: toWeight(findParameter(parameters, 'q')), at }]
    })
}

/** The most specific range that matches the type (RFC 9110, 12.5.1). */
function findRange(ranges: readonly MediaRange[], type: string): MediaRange | undefined {
  const group = `${type.split('/')[0]}/*`
  return [type, group, '*/*'].flatMap((name) => ranges.find((range) => range.type === name) ?? [])[0]
}

/** A weight that is not a number counts as 1, as if it were absent. */
function toWeight(q: string | null): number {
  const weight = q === null || q === '' ? 1 : Number(q)
  return Number.isNaN(weight) ? 1 : Math.min(1, Math.max(0, weight))
}

export function isUtf8(charset: string): boolean {
  return /^(?:utf-?8|us-ascii)$/i.test(charset)
}

/** The value of a parameter without its quotes; null if it is absent. @param parameters trimmed, `name=value`. */
export function findParameter(parameters: readonly string[], name: string): string | null {
  const found = parameters.find((parameter) => parameter.toLowerCase().startsWith(`${name}=`))
  return found === undefined ? null : found.slice(name.length + 1).replaceAll('"', '')
}
