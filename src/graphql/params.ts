import type { OperationParams } from './operations.ts'

const MAX_NAME_CHARS = 128

/** The parameters of a POST's body; null for what is none. */
export function parseBody(body: Buffer): OperationParams | null {
  try {
    return toParams(JSON.parse(body.toString('utf8')))
  } catch {
    return null
  }
}

/** The parameters in the query of a GET's address; null for what is none. */
export function parseQuery(search: URLSearchParams): OperationParams | null {
  try {
    const { variables, extensions, ...rest } = Object.fromEntries(search)
    return toParams({
      ...rest,
      ...(variables && { variables: JSON.parse(variables) as unknown }),
      ...(extensions && { extensions: JSON.parse(extensions) as unknown }),
    })
  } catch {
    return null
  }
}

/** One request, never a list of them. Other members than these are let be. */
export function toParams(value: unknown): OperationParams | null {
  if (!isObject(value)) return null
  const { query, documentId, operationName, variables, extensions } = value
  if (!isTextOrNone(query) || !isTextOrNone(documentId) || !isTextOrNone(operationName)) return null
  if (operationName && operationName.length > MAX_NAME_CHARS) return null
  if ((variables != null && !isObject(variables)) || (extensions != null && !isObject(extensions))) return null
  const persisted = extensions?.['persistedQuery']
  const hash = isObject(persisted) ? persisted['sha256Hash'] : null
  const id = documentId ?? (typeof hash === 'string' ? hash : null)
  if (query == null && id === null) return null
  return { query: query ?? null, documentId: id, operationName, variables }
}

function isTextOrNone(value: unknown): value is string | null | undefined {
  return value == null || typeof value === 'string'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
