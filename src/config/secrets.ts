import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readErrorCode } from '../lib/error-code.ts'
import { type Config, isPublicWithoutKeys } from './config.ts'
import { SettingError } from './env.ts'
import { isPostgresUrl, type SettingValues } from './settings.ts'
import { describeFileProblem } from './start-error.ts'

/** A shorter text also occurs by chance: masking it would garble the logs. */
const MIN_HIDDEN_CHARS = 6
const MIN_SECRET_CHARS = 16

/** Values that must never be logged; separate from `Config`. */
export interface Secrets {
  /** Sent to the upstream's origin only. */
  readonly upstreamKey: string
  /** With its password; null if the database is embedded. */
  readonly postgresUrl: string | null
  /** Of an S3-compatible store; null if none are given. */
  readonly blobCredentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | null
  /** Digests of keys, or the file that lists them; null if there are none. */
  readonly apiKeys: string | null
  /** The API key that the gateway generated, in clear text; null if API_KEYS or JWTs are configured, or no key is required. */
  readonly createdApiKey: string | null
  /** The first signs, all verify. */
  readonly gatewaySecrets: readonly [string, ...string[]]
}

/**
 * Reads the secrets. Creates each required secret that is not set on the first start, and stores it in `dataDir`,
 * readable by its owner only. The caller must hold the lock of `dataDir`.
 */
export function readSecrets(values: SettingValues, dataDir: string): Secrets {
  const createdApiKey = isPublicWithoutKeys(values) ? readOrCreate(dataDir, 'api-key') : null
  return {
    upstreamKey: values.TTAPI_KEY ?? values.LOCAL_UPSTREAM_KEY,
    postgresUrl: isPostgresUrl(values.DATABASE_URL ?? '') ? (values.DATABASE_URL ?? null) : null,
    blobCredentials:
      values.AWS_ACCESS_KEY_ID === undefined || values.AWS_SECRET_ACCESS_KEY === undefined
        ? null
        : { accessKeyId: values.AWS_ACCESS_KEY_ID, secretAccessKey: values.AWS_SECRET_ACCESS_KEY },
    apiKeys: createdApiKey === null ? (values.API_KEYS ?? null) : toApiKeys(createdApiKey),
    createdApiKey,
    gatewaySecrets: readGatewaySecrets(values) ?? [readOrCreate(dataDir, 'gateway-secret')],
  }
}

/** The secrets that sign, without creating any; null before the first start. */
export function findGatewaySecrets(values: SettingValues, { dataDir }: Config): Secrets['gatewaySecrets'] | null {
  const stored = readGatewaySecrets(values) ?? findStored(dataDir, 'gateway-secret')
  return typeof stored === 'string' ? [stored] : stored
}

/** Lists the texts that must not be logged. */
export function listSecrets(secrets: Secrets): readonly string[] {
  const { upstreamKey, postgresUrl, blobCredentials, createdApiKey, gatewaySecrets } = secrets
  const password = postgresUrl === null ? '' : decodeURIComponent(new URL(postgresUrl).password)
  const all = [upstreamKey, password, blobCredentials?.secretAccessKey ?? '', createdApiKey ?? '', ...gatewaySecrets]
  return all.filter((secret) => secret.length >= MIN_HIDDEN_CHARS)
}

/** An API_KEYS entry with the tenant and the scopes that callers have on a gateway without keys. */
function toApiKeys(key: string): string {
  return `local:${createHash('sha256').update(key).digest('hex')}:read+write+admin`
}

function readGatewaySecrets({ GATEWAY_SECRET }: SettingValues): readonly [string, ...string[]] | null {
  if (GATEWAY_SECRET === undefined) return null
  const [first, ...rest] = GATEWAY_SECRET.split(',').map((part) => part.trim())
  if (!first || [first, ...rest].some((part) => part.length < MIN_SECRET_CHARS)) {
    throw new SettingError('GATEWAY_SECRET', `must have at least ${MIN_SECRET_CHARS} characters in each part`)
  }
  return [first, ...rest]
}

function readOrCreate(dataDir: string, name: string): string {
  const stored = findStored(dataDir, name)
  if (stored !== null) return stored
  const secret = randomBytes(32).toString('base64url')
  const path = join(dataDir, name)
  try {
    // A rename is atomic: a crash leaves the whole secret or none. The folder's lock keeps other processes out.
    writeFileSync(`${path}.part`, secret, { mode: 0o600, flush: true })
    renameSync(`${path}.part`, path)
  } catch (error) {
    throw new SettingError('DATA_DIR', `cannot be used: ${name} cannot be written, ${describeFileProblem(error)}.`)
  }
  return secret
}

/** Null if the file does not exist. @throws {SettingError} if it contains no secret. */
function findStored(dataDir: string, name: string): string | null {
  let text: string
  try {
    text = readFileSync(join(dataDir, name), 'utf8').trim()
  } catch (error) {
    if (readErrorCode(error) === 'ENOENT') return null
    throw new SettingError('DATA_DIR', `cannot be used: ${name} cannot be read, ${describeFileProblem(error)}.`)
  }
  if (text.length < MIN_SECRET_CHARS || !/^[\x21-\x7e]+$/.test(text)) {
    throw new SettingError(
      'DATA_DIR',
      `cannot be used: its file ${name} contains no secret. Restore it from a backup, or delete it so that the gateway generates a new one.`,
    )
  }
  return text
}
