import { join, resolve } from 'node:path'
import type { Deadlines } from '../domain/transitions.ts'
import type { LogLevel } from '../telemetry/logger.ts'
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
  /** Folder of the operator's own face-swap models; null for the built-in ones. */
  readonly modelsDir: string | null
  readonly allowedPrivateHosts: readonly string[]
  readonly graphiql: boolean
  readonly maxInFlight: number
  readonly fetchPerSecond: number
  readonly deadlines: Deadlines
  readonly logLevel: LogLevel
}

/** @throws {SettingError} where settings contradict each other or would be unsafe. */
export function toConfig(values: SettingValues): Config {
  const loopback = isLoopback(values.HOST)
  if (!loopback) {
    throw new SettingError(
      'HOST',
      'must be a loopback address (127.0.0.1, ::1 or localhost): callers are not authenticated, and the gateway spends money for whoever reaches it. Put a proxy that authenticates in front of it.',
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
    modelsDir: values.SWAPFACE_MODELS_DIR === undefined ? null : resolve(values.SWAPFACE_MODELS_DIR),
    allowedPrivateHosts: (values.ALLOWED_PRIVATE_HOSTS ?? '')
      .split(',')
      .map((host) => host.trim())
      .filter(Boolean),
    graphiql: values.GRAPHIQL === undefined ? loopback : values.GRAPHIQL === 'on',
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

/** Whether only this machine can reach a listener on `host`: a name or an address, in brackets too. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}
