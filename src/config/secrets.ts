import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SettingError } from './env.ts'
import { isPostgresUrl, type SettingValues } from './settings.ts'

/** A shorter text is part of others by chance: hiding it would spoil every line. */
const MIN_HIDDEN_CHARS = 6

/** What must never be logged, kept apart from `Config`. */
export interface Secrets {
  /** Goes to the upstream's origin only. */
  readonly upstreamKey: string
  /** With its password; null where the database is embedded. */
  readonly postgresUrl: string | null
  /** Of an S3-compatible store; null where none are given. */
  readonly blobCredentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | null
  /** Digests of keys, or the file that lists them; null where there are none. */
  readonly apiKeys: string | null
  /** The first signs, all verify. */
  readonly gatewaySecrets: readonly [string, ...string[]]
}

/** Reads the secrets; makes the gateway's own on the first start and keeps it in `dataDir`, readable by its owner only. */
export function readSecrets(values: SettingValues, dataDir: string): Secrets {
  return {
    upstreamKey: values.TTAPI_KEY ?? values.LOCAL_UPSTREAM_KEY,
    postgresUrl: isPostgresUrl(values.DATABASE_URL ?? '') ? (values.DATABASE_URL ?? null) : null,
    blobCredentials:
      values.AWS_ACCESS_KEY_ID === undefined || values.AWS_SECRET_ACCESS_KEY === undefined
        ? null
        : { accessKeyId: values.AWS_ACCESS_KEY_ID, secretAccessKey: values.AWS_SECRET_ACCESS_KEY },
    apiKeys: values.API_KEYS ?? null,
    gatewaySecrets: values.GATEWAY_SECRET ? parseList(values.GATEWAY_SECRET) : [readOrMakeSecret(dataDir)],
  }
}

/** Each as a text that must not be written anywhere. */
export function listSecrets({ upstreamKey, postgresUrl, blobCredentials, gatewaySecrets }: Secrets): readonly string[] {
  const password = postgresUrl === null ? '' : decodeURIComponent(new URL(postgresUrl).password)
  return [upstreamKey, password, blobCredentials?.secretAccessKey ?? '', ...gatewaySecrets].filter(
    (secret) => secret.length >= MIN_HIDDEN_CHARS,
  )
}

function parseList(text: string): readonly [string, ...string[]] {
  const [first, ...rest] = text.split(',').map((part) => part.trim())
  if (!first || [first, ...rest].some((part) => part.length < 16)) {
    throw new SettingError('GATEWAY_SECRET', 'must have at least 16 characters in each part')
  }
  return [first, ...rest]
}

function readOrMakeSecret(dataDir: string): string {
  const path = join(dataDir, 'gateway-secret')
  if (!existsSync(path)) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    const draft = `${path}.${process.pid}`
    writeFileSync(draft, randomBytes(32).toString('base64url'), { mode: 0o600, flush: true })
    try {
      // Whole or not at all, and never over another's: of two processes that start at once, both read the same.
      linkSync(draft, path)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    } finally {
      unlinkSync(draft)
    }
  }
  return readFileSync(path, 'utf8').trim()
}
