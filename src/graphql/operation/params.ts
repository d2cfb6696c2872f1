/**
 * The parameters of one GraphQL request: from a JSON body, the query of a GET, or the payload of a `subscribe` message.
 * Anything malformed throws a RequestError whose code and message name the member that is wrong.
 */
import { RequestError } from './request-error.ts'

/** The parameters of one operation; its document is a text, or named by a digest. */
export interface OperationParams {
  readonly query: string | null
  /** The digest of a trusted document. */
  readonly documentId: string | null
  /** The digest of an automatic persisted query: `extensions.persistedQuery.sha256Hash`. */
  readonly persistedQueryHash: string | null
  readonly operationName: string | null
  readonly variables: Record<string, unknown> | null
}

const MAX_NAME_CHARS = 128

/** Throws for bytes that are not UTF-8, and skips a byte order mark (RFC 8259, 8.1). */
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** @throws {RequestError} */
export function parseBody(body: Buffer): OperationParams {
  if (body.byteLength === 0) throw malformed('INVALID_JSON', 'The body is empty. Send {"query": "…"}.')
  return toParams(parseJson(decode(body), 'The body is not valid JSON.'))
}

/** @throws {RequestError} */
export function parseQuery(search: URLSearchParams): OperationParams {
  const { variables, extensions, ...rest } = Object.fromEntries(search)
  return toParams({
    ...rest,
    ...(variables && { variables: parseJson(variables, 'The parameter `variables` is not valid JSON.', 'VARIABLES') }),
    ...(extensions && {
      extensions: parseJson(extensions, 'The parameter `extensions` is not valid JSON.', 'EXTENSIONS'),
    }),
  })
}

/** Unknown members are ignored. @throws {RequestError} */
export function toParams(value: unknown): OperationParams {
  if (Array.isArray(value)) {
    throw malformed('BATCHING_NOT_SUPPORTED', 'Batches are not supported. Send one operation per request.')
  }
  if (!isObject(value)) throw malformed('INVALID_BODY', 'The body must be a JSON object: {"query": "…"}.')
  // Clients that send a digest may leave the text empty.
  const query = readText(value, 'query', 'INVALID_QUERY') || null
  const documentId = readText(value, 'documentId', 'INVALID_DOCUMENT_ID')
  const operationName = readText(value, 'operationName', 'INVALID_OPERATION_NAME')
  if (operationName !== null && operationName.length > MAX_NAME_CHARS) {
    throw malformed('INVALID_OPERATION_NAME', `\`operationName\` has at most ${MAX_NAME_CHARS} characters.`)
  }
  const variables = readObject(value, 'variables', 'INVALID_VARIABLES')
  const persisted = readObject(value, 'extensions', 'INVALID_EXTENSIONS')?.['persistedQuery']
  const hash = isObject(persisted) ? persisted['sha256Hash'] : null
  const persistedQueryHash = typeof hash === 'string' ? hash : null
  if (query === null && documentId === null && persistedQueryHash === null) {
    throw malformed('MISSING_QUERY', 'The document is missing. Send it as `query`.')
  }
  return { query, documentId, persistedQueryHash, operationName, variables }
}

function decode(body: Buffer): string {
  try {
    return utf8.decode(body)
  } catch {
    throw malformed('INVALID_JSON', 'The body is not valid JSON: it must be encoded in UTF-8.')
  }
}

function parseJson(text: string, message: string, what: 'JSON' | 'VARIABLES' | 'EXTENSIONS' = 'JSON'): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw malformed(`INVALID_${what}`, message)
  }
}

function readText(value: Record<string, unknown>, name: string, code: string): string | null {
  const text = value[name] ?? null
  if (text !== null && typeof text !== 'string') throw malformed(code, `\`${name}\` must be a string.`)
  return text
}

function readObject(value: Record<string, unknown>, name: string, code: string): Record<string, unknown> | null {
  const object = value[name] ?? null
  if (typeof object === 'string') {
    throw malformed(code, `\`${name}\` was sent as a string. Send a JSON object, not JSON inside a string.`)
  }
  if (object !== null && !isObject(object)) throw malformed(code, `\`${name}\` must be a JSON object.`)
  return object
}

function malformed(code: string, message: string): RequestError {
  return new RequestError(400, code, message)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
