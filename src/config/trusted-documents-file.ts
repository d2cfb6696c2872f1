import { readFileSync } from 'node:fs'
import { parseManifest } from '../graphql/operation/trusted-documents.ts'
import { SettingError } from './env.ts'

/**
 * The documents in the file that TRUSTED_DOCUMENTS names, by their digest; null if it names none.
 * @throws {SettingError} if the file cannot be read or is no such manifest.
 */
export function readTrustedDocuments(path: string | null): ReadonlyMap<string, string> | null {
  if (path === null) return null
  try {
    return parseManifest(readFileSync(path, 'utf8'))
  } catch {
    throw new SettingError('TRUSTED_DOCUMENTS', 'must name a JSON file: an object of SHA-256 and document')
  }
}
