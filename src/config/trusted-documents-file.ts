import { readFileSync } from 'node:fs'
import { parseManifest } from '../graphql/operation/trusted-documents.ts'
import { SettingError } from './env.ts'

/**
 * Reads the documents of the TRUSTED_DOCUMENTS file, by their digest; null if `path` is null.
 * @throws {SettingError} if the file cannot be read or is not a manifest.
 */
export function readTrustedDocuments(path: string | null): ReadonlyMap<string, string> | null {
  if (path === null) return null
  try {
    return parseManifest(readFileSync(path, 'utf8'))
  } catch {
    throw new SettingError('TRUSTED_DOCUMENTS', 'must name a JSON file: an object of SHA-256 and document')
  }
}
