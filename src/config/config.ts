import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { parseAllowedHost } from '../lib/net/address-guard.ts'
import type { Deadlines } from '../domain/transitions.ts'
import type { LogLevel } from '../telemetry/logger.ts'
import { parseAllowedOrigin } from './allowed-origins.ts'
import { SettingError } from './env.ts'
import { isPostgresUrl, type SettingValues } from './settings.ts'

/** Load balancers check every few seconds. */
const DRAIN_READY_S = 5

/** How the gateway runs. Contains no secret, so it may be logged. */
export interface Config {
  readonly host: string
  readonly port: number
  readonly adminHost: string
  /** 0 if no metrics are collected. */
  readonly adminPort: number
  /** Null: derived from the listening address, once the port is known. */
  readonly publicUrl: string | null
  /** Base URL of the upstream; null for the embedded one. */
  readonly upstreamUrl: string | null
  readonly localUpstreamPort: number
  /** Of the embedded database; null if PostgreSQL is used (`Secrets.postgresUrl`). */
  readonly databasePath: string | null
  readonly dataDir: string
  readonly blobUrl: string
  /** Folder of the operator's own face-swap models; null for the built-in ones. */
  readonly modelsDir: string | null
  readonly allowedPrivateHosts: readonly string[]
  /** Origins of web pages that may call in addition to the gateway's own, in lower case. */
  readonly allowedOrigins: readonly string[]
  /** Whether callers need a credential; if not, they are the users of this machine. */
  readonly authenticates: boolean
  /**
   * Whether the gateway serves only the hosts of PUBLIC_URL and loopback: if no API keys or JWTs are configured.
   */
  readonly checksHost: boolean
  /** How an identity provider's tokens are verified; null if none are accepted. */
  readonly jwt: { readonly jwksUrl: string; readonly issuer: string; readonly audience: string } | null
  readonly graphiql: boolean
  readonly introspection: boolean
  /** Whether the upstream's own REST calls are served too. */
  readonly servesRest: boolean
  /** The manifest of the only documents that run; null if any may. */
  readonly trustedDocumentsPath: string | null
  readonly requestsPerMinute: number
  /** Concurrent operations on one WebSocket that is authenticated by API key or JWT. */
  readonly maxSocketOperations: number
  readonly tenantQuotaPerDay: number | null
  readonly tenantMaxInFlight: number | null
  readonly maxInFlight: number
  readonly fetchPerSecond: number
  readonly deadlines: Deadlines
  /** How long a stopping gateway keeps serving requests while it reports not ready. */
  readonly drainReadyMs: number
  /** Base URL of the collector of traces; null: traces are off. */
  readonly tracesEndpoint: string | null
  readonly logLevel: LogLevel
}

/** @throws {SettingError} if settings contradict each other or are unsafe. */
export function toConfig(values: SettingValues): Config {
  const host = parseHost('HOST', values.HOST)
  const adminHost = parseHost('ADMIN_HOST', values.ADMIN_HOST)
  const loopback = isLoopback(host)
  const jwt = readJwt(values)
  const hasKeys = values.API_KEYS !== undefined || jwt !== null
  if (!loopback && !hasKeys) {
    throw new SettingError(
      'API_KEYS',
      'must be set (or JWKS_URL, JWT_ISSUER and JWT_AUDIENCE) if HOST is not a loopback address: anyone who reaches the gateway could spend.',
    )
  }
  if (!loopback && values.GATEWAY_SECRET === undefined) {
    throw new SettingError(
      'GATEWAY_SECRET',
      'must be set if HOST is not a loopback address: at least 16 characters, such as `openssl rand -base64 32` prints.',
    )
  }
  if (host.includes('%') && values.PUBLIC_URL === undefined) {
    throw new SettingError('PUBLIC_URL', 'must be set if HOST is an address with a zone')
  }
  requirePair(values, 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY')
  requirePair(values, 'AWS_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID')
  checkPorts(values)
  const dataDir = resolve(values.DATA_DIR)
  const isOnPostgres = isPostgresUrl(values.DATABASE_URL ?? '')
  if (isOnPostgres && values.GATEWAY_SECRET === undefined) {
    throw new SettingError(
      'GATEWAY_SECRET',
      'must be set if DATABASE_URL names a PostgreSQL database, to the same value for all processes: the hook of a swap may reach another process than the one that submitted it.',
    )
  }
  return Object.freeze({
    host,
    port: values.PORT,
    adminHost,
    adminPort: values.ADMIN_PORT,
    publicUrl: values.PUBLIC_URL ?? null,
    upstreamUrl: values.TTAPI_KEY === undefined ? null : values.TTAPI_URL,
    localUpstreamPort: values.LOCAL_UPSTREAM_PORT,
    databasePath: isOnPostgres
      ? null
      : resolve(values.DATABASE_URL?.slice('file:'.length) ?? join(dataDir, 'gateway.db')),
    dataDir,
    blobUrl: values.BLOB_URL ?? `file:${join(dataDir, 'images')}`,
    modelsDir: values.SWAPFACE_MODELS_DIR === undefined ? null : resolve(values.SWAPFACE_MODELS_DIR),
    allowedPrivateHosts: parseList(values.ALLOWED_PRIVATE_HOSTS).map(checkPrivateHost),
    allowedOrigins: parseList(values.ALLOWED_ORIGINS).map(parseAllowedOrigin),
    authenticates: hasKeys || isPublicWithoutKeys(values),
    checksHost: !hasKeys,
    jwt,
    graphiql: values.GRAPHIQL === undefined ? loopback : values.GRAPHIQL === 'on',
    servesRest: values.REST_API === 'on',
    introspection: values.INTROSPECTION === undefined ? loopback : values.INTROSPECTION === 'on',
    trustedDocumentsPath: values.TRUSTED_DOCUMENTS === undefined ? null : resolve(values.TRUSTED_DOCUMENTS),
    requestsPerMinute: values.TENANT_REQUESTS_PER_MINUTE,
    maxSocketOperations: values.WS_MAX_OPERATIONS,
    tenantQuotaPerDay: values.TENANT_QUOTA_PER_DAY ?? null,
    tenantMaxInFlight: values.TENANT_MAX_IN_FLIGHT ?? null,
    maxInFlight: values.MAX_IN_FLIGHT,
    fetchPerSecond: values.FETCH_PER_SECOND,
    deadlines: {
      submitBeforeMs: values.SUBMIT_BEFORE_S * 1_000,
      onQueueMs: values.ON_QUEUE_DEADLINE_S * 1_000,
      unconfirmedMs: values.UNCONFIRMED_DEADLINE_S * 1_000,
    },
    drainReadyMs: (values.DRAIN_READY_S ?? (loopback ? 0 : DRAIN_READY_S)) * 1_000,
    tracesEndpoint: values.OTEL_EXPORTER_OTLP_ENDPOINT ?? null,
    logLevel: values.LOG_LEVEL,
  })
}

/**
 * Whether the gateway generates an API key: it can spend, it can be reached from other machines, and the operator
 * has configured no credentials.
 */
export function isPublicWithoutKeys({ TTAPI_KEY, PUBLIC_URL, API_KEYS, JWKS_URL }: SettingValues): boolean {
  if (TTAPI_KEY === undefined || PUBLIC_URL === undefined || isLoopback(new URL(PUBLIC_URL).hostname)) return false
  return API_KEYS === undefined && JWKS_URL === undefined
}

/** @throws {SettingError} if two listeners of the gateway have the same port. */
function checkPorts({ PORT, ADMIN_PORT, LOCAL_UPSTREAM_PORT, TTAPI_KEY }: SettingValues): void {
  const used = new Map<number, string>()
  const others = { ...(TTAPI_KEY === undefined && { LOCAL_UPSTREAM_PORT }), ADMIN_PORT }
  for (const [name, port] of Object.entries({ PORT, ...others })) {
    const other = used.get(port)
    if (port !== 0 && other !== undefined) throw new SettingError(name, `must differ from ${other}: both are ${port}`)
    used.set(port, name)
  }
}

/** Parses an address or a name to listen on; IPv6 without its brackets. */
function parseHost(name: 'HOST' | 'ADMIN_HOST', text: string): string {
  const host = /^\[(.*)\]$/.exec(text)?.[1] ?? text.toLowerCase()
  if (isIP(host) > 0) return host
  if (host.includes('/'))
    throw new SettingError(name, 'must be a name or an address, without http:// and without a path')
  if (host.includes(':'))
    throw new SettingError(name, `must be a name or an address; the port is set with ${name.replace('HOST', 'PORT')}`)
  // Labels of letters, digits and hyphens (RFC 1123). With a numeric last label it is an address out of range.
  if (!/^(?!-)[\w-]{1,63}(?:\.[\w-]{1,63})*\.?$/.test(host) || /(?:^|\.)\d+$/.test(host)) {
    throw new SettingError(name, 'must be a name or an address, such as 127.0.0.1, ::1, localhost or 0.0.0.0')
  }
  return host
}

function checkPrivateHost(entry: string): string {
  try {
    parseAllowedHost(entry)
    return entry
  } catch {
    throw new SettingError(
      'ALLOWED_PRIVATE_HOSTS',
      'must list hosts such as 10.0.0.5, images.internal or [::1]:8080: host or host:port, without a scheme, a path or *',
    )
  }
}

function requirePair(values: SettingValues, name: keyof SettingValues, other: keyof SettingValues): void {
  if (values[name] !== undefined && values[other] === undefined) {
    throw new SettingError(other, `must be set, because ${name} is set and has no effect without it`)
  }
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

/** Whether only this machine can reach a listener on `host`: a name or an address, with or without brackets. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}
