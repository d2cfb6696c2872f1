/**
 * The operator's API keys: `tenant:sha256hex[:scope+scope]`. Only digests are stored; a presented key is hashed and
 * compared with each of them in constant time.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import type { Scope, Viewer } from './viewer.ts'

const READ_AGAIN_MS = 1_000
const DEFAULT_SCOPES: readonly Scope[] = ['swap:read', 'swap:write']
const SCOPES_BY_WORD: Readonly<Record<string, Scope>> = { read: 'swap:read', write: 'swap:write', admin: 'swap:admin' }

/** A list of keys that cannot be used. The message says which entry and why; it contains no digest. */
export class ApiKeysError extends Error {
  constructor(problem: string) {
    super(problem)
    this.name = 'ApiKeysError'
  }
}

export interface ApiKeys {
  /** Returns the viewer of a key; null if the key is not, or no longer, listed. */
  find(key: string): Viewer | null
  /** Tenants that have a key. */
  countTenants(): number
  close(): void
}

interface Entry {
  readonly line: string
  readonly digest: Buffer
  readonly viewer: Viewer
  readonly revoke: () => void
}

/**
 * @param source the list itself, comma-separated, or `file:` and the path of a file with one key per line (`#` starts a
 * comment). A file is read again when it changes: removed keys are revoked within seconds.
 * @param onUnreadable called if a changed file cannot be used; the current keys then stay valid.
 * @throws {ApiKeysError}
 */
export function openApiKeys(source: string, onUnreadable: (error: unknown) => void): ApiKeys {
  const path = source.startsWith('file:') ? source.slice('file:'.length) : null
  const read = () => toLines(path === null ? source : readFile(path))
  let entries = read().map(parseEntry)

  const readAgain = () => {
    try {
      const lines = new Set(read())
      const unchanged = entries.filter(({ line }) => lines.has(line))
      const known = new Set(unchanged.map(({ line }) => line))
      const added = [...lines].filter((line) => !known.has(line)).map(parseEntry)
      for (const { line, revoke } of entries) if (!lines.has(line)) revoke()
      entries = [...unchanged, ...added]
    } catch (error) {
      onUnreadable(error)
    }
  }
  // Polled: notifications are lost on network folders and when the file is replaced.
  if (path !== null) watchFile(path, { interval: READ_AGAIN_MS, persistent: false }, readAgain)

  return {
    find: (key) => {
      const digest = createHash('sha256').update(key).digest()
      let found: Viewer | null = null
      for (const entry of entries) if (timingSafeEqual(entry.digest, digest)) found = entry.viewer
      return found
    },
    countTenants: () => new Set(entries.map(({ viewer }) => viewer.tenant)).size,
    close: () => {
      if (path !== null) unwatchFile(path, readAgain)
    },
  }
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    throw new ApiKeysError('names a file that cannot be read.')
  }
}

function toLines(text: string): string[] {
  const lines = text
    .replaceAll(/#.*$/gm, '')
    .split(/[,\n]/)
    .map((line) => line.trim())
    .filter(Boolean)
  if (lines.length === 0) throw new ApiKeysError('lists no key.')
  return [...new Set(lines)]
}

function parseEntry(line: string, n: number): Entry {
  const [tenant = '', digest = '', words, ...rest] = line.split(':')
  const problem = (what: string) => new ApiKeysError(`cannot be used: ${what} (entry ${n + 1}). ${HOW_TO}`)
  if (rest.length > 0) throw problem('too many colons')
  if (!/^[\w.@-]{1,64}$/.test(tenant))
    throw problem('a tenant has 1 to 64 letters, digits and any of the characters . _ @ -')
  if (!/^[0-9a-f]{64}$/i.test(digest)) throw problem('the digest is not 64 hex digits')
  const scopes = words === undefined ? DEFAULT_SCOPES : words.split('+').map((word) => SCOPES_BY_WORD[word])
  if (!scopes.every((scope) => scope !== undefined)) throw problem('scopes are read, write and admin, joined by +')
  const revocation = new AbortController()
  return {
    line,
    digest: Buffer.from(digest, 'hex'),
    viewer: {
      tenant,
      scopes: new Set(scopes),
      jobIds: null,
      isAnonymous: false,
      expiresAt: null,
      revoked: revocation.signal,
    },
    revoke: () => revocation.abort(),
  }
}

const HOW_TO =
  "An entry is tenant:sha256hex or tenant:sha256hex:read+write; the digest of a key is what `printf %s 'the key' | sha256sum` prints."
