import { join, resolve } from 'node:path'
import type { Deadlines } from '../domain/transitions.ts'
import type { LogLevel } from '../telemetry/logger.ts'
import { parseAllowedOrigin } from './allowed-origins.ts'
import { SettingError } from './env.ts'
import { isPostgresUrl, type SettingValues } from './settings.ts'

/** How the program runs. Holds no secret, so it may be logged. */
export interface Config {
  readonly host: string
  readonly port: number
  /** Null: as listened on, known once the port is. */
  readonly publicUrl: string | null
  /** Where the upstream is; null for the embedded one. */
  readonly upstreamUrl: string | null
  readonly localUpstreamPort: number
  /** Of the embedded database; null where PostgreSQL is used (`Secrets.postgresUrl`). */
  readonly databasePath: string | null
  readonly dataDir: string
  readonly blobUrl: string
  /** Folder of the operator's own face-swap models; null for the built-in ones. */
  readonly modelsDir: string | null
  readonly allowedPrivateHosts: readonly string[]
  /** Origins of web pages that may call in addition to the gateway's own, in lower case. */
  readonly allowedOrigins: readonly string[]
  /** Whether callers show who they are; where not, they are those of this machine. */
  readonly authenticates: boolean
  /** Where tokens of an identity provider are verified; null where none are taken. */
  readonly jwt: { readonly jwksUrl: string; readonly issuer: string; readonly audience: string } | null
  readonly graphiql: boolean
  readonly introspection: boolean
  /** Whether the upstream's own REST calls are served too. */
  readonly restDoor: boolean
  /** The manifest of the only documents that run; null where any may. */
  readonly trustedDocumentsPath: string | null
  readonly requestsPerMinute: number
  readonly tenantQuotaPerDay: number | null
  readonly tenantMaxInFlight: number | null
  readonly maxInFlight: number
  readonly fetchPerSecond: number
  readonly deadlines: Deadlines
  readonly logLevel: LogLevel
}

/** @throws {SettingError} where settings contradict each other or would be unsafe. */
export function toConfig(values: SettingValues): Config {
  const loopback = isLoopback(values.HOST)
  const jwt = readJwt(values)
  const authenticates = values.API_KEYS !== undefined || jwt !== null
  if (!loopback && !authenticates) {
    throw new SettingError(
      'API_KEYS',
      'must be set (or JWKS_URL, JWT_ISSUER and JWT_AUDIENCE) where HOST is no loopback address: the gateway spends money for whoever reaches it.',
    )
  }
  if (!loopback && values.GATEWAY_SECRET === undefined) {
    throw new SettingError(
      'GATEWAY_SECRET',
      'must be set where HOST is no loopback address: at least 16 characters, such as `openssl rand -base64 32` prints.',
    )
  }
  const dataDir = resolve(values.DATA_DIR)
  const isOnPostgres = isPostgresUrl(values.DATABASE_URL ?? '')
  if (isOnPostgres && values.GATEWAY_SECRET === undefined) {
    throw new SettingError(
      'GATEWAY_SECRET',
      'must be set where DATABASE_URL is a PostgreSQL: a hook that one process asked for may come to another. All of them need the same.',
    )
  }
  return Object.freeze({
    host: values.HOST,
    port: values.PORT,
    publicUrl: values.PUBLIC_URL ?? null,
    upstreamUrl: values.TTAPI_KEY === undefined ? null : values.TTAPI_URL,
    localUpstreamPort: values.LOCAL_UPSTREAM_PORT,
    databasePath: isOnPostgres
      ? null
      : resolve(values.DATABASE_URL?.slice('file:'.length) ?? join(dataDir, 'gateway.db')),
    dataDir,
    blobUrl: values.BLOB_URL ?? `file:${join(dataDir, 'images')}`,
    modelsDir: values.SWAPFACE_MODELS_DIR === undefined ? null : resolve(values.SWAPFACE_MODELS_DIR),
    allowedPrivateHosts: parseList(values.ALLOWED_PRIVATE_HOSTS),
    allowedOrigins: parseList(values.ALLOWED_ORIGINS).map(parseAllowedOrigin),
    authenticates,
    jwt,
    graphiql: values.GRAPHIQL === undefined ? loopback : values.GRAPHIQL === 'on',
    restDoor: values.REST_DOOR === 'on',
    introspection: values.INTROSPECTION === undefined ? loopback : values.INTROSPECTION === 'on',
    trustedDocumentsPath: values.TRUSTED_DOCUMENTS === undefined ? null : resolve(values.TRUSTED_DOCUMENTS),
    requestsPerMinute: values.TENANT_REQUESTS_PER_MINUTE,
    tenantQuotaPerDay: values.TENANT_QUOTA_PER_DAY ?? null,
    tenantMaxInFlight: values.TENANT_MAX_IN_FLIGHT ?? null,
    maxInFlight: values.MAX_IN_FLIGHT,
    fetchPerSecond: values.FETCH_PER_SECOND,
    deadlines: {
      submitBeforeMs: values.SUBMIT_BEFORE_S * 1_000,
      onQueueMs: values.ON_QUEUE_DEADLINE_S * 1_000,
      unconfirmedMs: values.UNCONFIRMED_DEADLINE_S * 1_000,
    },
    logLevel: values.LOG_LEVEL,
  })
}

function parseList(text = ''): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)
}

function readJwt({ JWKS_URL, JWT_ISSUER, JWT_AUDIENCE }: SettingValues): Config['jwt'] {
  const all = { JWKS_URL, JWT_ISSUER, JWT_AUDIENCE }
  const [missing] = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [name] : []))
  if (JWKS_URL !== undefined && JWT_ISSUER !== undefined && JWT_AUDIENCE !== undefined) {
    return { jwksUrl: JWKS_URL, issuer: JWT_ISSUER, audience: JWT_AUDIENCE }
  }
  if (Object.values(all).every((value) => value === undefined)) return null
  throw new SettingError(missing ?? '', 'must be set: JWKS_URL, JWT_ISSUER and JWT_AUDIENCE belong together')
}

/** Whether only this machine can reach a listener on `host`: a name or an address, in brackets too. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}
