/**
 * Trusted documents: the operator may list the only documents that run, in a JSON object from SHA-256 to text, which
 * `npm run codegen` prints for `schema/operations`. A request names a document by its digest or sends its text.
 *
 * Digests of automatic persisted queries name trusted documents too. Without a manifest, and only then, the error is
 * `PersistedQueryNotSupported`: clients compare the message and the code, then send the text and stop sending digests.
 * With a manifest an unknown digest is refused, so that clients do not send the text.
 */
import { GraphQLError } from 'graphql'
import type { OperationParams } from './params.ts'
import { sha256 } from '../../lib/crypto/sha256.ts'

/**
 * Returns the text to run.
 * @throws {GraphQLError} if there is no text, or the manifest does not list the document.
 */
export type FindDocument = (request: Pick<OperationParams, 'query' | 'documentId' | 'persistedQueryHash'>) => string

/** @param manifest null: any document may run. */
export function createFindDocument(manifest: ReadonlyMap<string, string> | null): FindDocument {
  return ({ query, documentId, persistedQueryHash }) => {
    if (!manifest) {
      if (query !== null) return query
      if (documentId === null) throw refusal('PersistedQueryNotSupported', 'PERSISTED_QUERY_NOT_SUPPORTED')
      throw refusal('Trusted documents are not configured. Send the document as `query`.', 'DOCUMENT_NOT_FOUND')
    }
    const id = (documentId ?? persistedQueryHash)?.replace(/^sha256:/, '') ?? sha256(query ?? '')
    const document = manifest.get(id)
    if (document === undefined) {
      throw refusal("The document is not one of the gateway's trusted documents.", 'DOCUMENT_NOT_TRUSTED')
    }
    return document
  }
}

/** @throws {SyntaxError} if the text is not JSON, {TypeError} if it is not a manifest. */
export function parseManifest(text: string): ReadonlyMap<string, string> {
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null) throw new TypeError('not an object')
  const manifest = new Map<string, string>()
  for (const [id, document] of Object.entries(value)) {
    if (typeof document !== 'string') throw new TypeError(`the document ${id} is not a string`)
    manifest.set(id.replace(/^sha256:/, ''), document)
  }
  return manifest
}

function refusal(message: string, code: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code } })
}
