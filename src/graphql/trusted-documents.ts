/**
 * The documents that may run, where the operator has listed them: an object of SHA-256 and text, as
 * `npm run codegen` prints of `schema/operations`. A request names one by its digest, or sends its text.
 */
import { createHash } from 'node:crypto'
import { GraphQLError } from 'graphql'

/**
 * The text to run.
 * @throws {GraphQLError} for what is not listed.
 */
export type FindDocument = (request: { readonly query: string | null; readonly documentId: string | null }) => string

/** @param manifest null: any document may run. */
export function createFindDocument(manifest: ReadonlyMap<string, string> | null): FindDocument {
  return ({ query, documentId }) => {
    if (!manifest) {
      if (query === null) throw refusal('This gateway knows no documents by name. Send `query`.', 'DOCUMENT_NOT_FOUND')
      return query
    }
    const id = documentId?.replace(/^sha256:/, '') ?? digest(query ?? '')
    const document = manifest.get(id)
    if (document === undefined) {
      throw refusal('Only the documents that this gateway has been given run here.', 'DOCUMENT_NOT_TRUSTED')
    }
    return document
  }
}

/** @throws {TypeError} when the text is no manifest. */
export function parseManifest(text: string): ReadonlyMap<string, string> {
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null) throw new TypeError('not an object')
  const manifest = new Map<string, string>()
  for (const [id, document] of Object.entries(value)) {
    if (typeof document !== 'string') throw new TypeError(`the document ${id} is no text`)
    manifest.set(id.replace(/^sha256:/, ''), document)
  }
  return manifest
}

export function digest(document: string): string {
  return createHash('sha256').update(document).digest('hex')
}

function refusal(message: string, code: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code } })
}
