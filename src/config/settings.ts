/** Every setting: its name, meaning, default and parser. `--help` and docs/SETTINGS.md print this table. */
import * as z from 'zod'
import { LOG_LEVELS } from '../telemetry/logger.ts'
import { parseUrl } from '../lib/net/parse-url.ts'

interface Setting<T> {
  readonly meaning: string
  /** As text for operators; null if there is no default. */
  readonly default: string | null
  /** Parses the text of the environment variable; undefined means that it is not set. */
  readonly schema: z.ZodType<T>
  /** Whether the value must not be logged. */
  readonly isSecret: boolean
}

function setting<T>(schema: z.ZodType<T>, fallback: string | null, meaning: string): Setting<T> {
  return { schema, default: fallback, meaning, isSecret: false }
}

/** A setting whose value is, or may contain, a credential. */
function secret<T>(schema: z.ZodType<T>, fallback: string | null, meaning: string): Setting<T> {
  return { schema, default: fallback, meaning, isSecret: true }
}

/** Decimal digits only: `Number` would take 1e3, 0x10 and Infinity as well. */
const decimal = (problem: string, allowsFraction: boolean) =>
  z
    .string()
    .regex(allowsFraction ? /^\d{1,9}(?:\.\d{1,9})?$/ : /^\d{1,9}$/, `${problem}, in digits`)
    .transform(Number)

const port = (fallback: number) =>
  decimal('must be a port number', false)
    .refine((value) => value <= 65_535, 'must be 0 to 65535')
    .default(fallback)

const positive = (problem: string) => decimal(problem, true).refine((value) => value > 0, 'must be greater than 0')

const seconds = (fallback: number) => positive('must be a number of seconds').default(fallback)

const count = decimal('must be a whole number', false).refine((value) => value >= 1, 'must be at least 1')

/** An absolute URL, without its trailing slashes. */
const httpUrl = z
  .string()
  .refine(isPlainHttpUrl, 'must be an absolute http(s) URL without a user name, query or fragment')
  .transform((value) => value.replace(/\/+$/, ''))

function isPlainHttpUrl(text: string): boolean {
  // `URL` would drop line breaks, and read a backslash as a slash.
  const url = /^https?:\/\/[^\s\\?#@]+$/i.test(text) ? parseUrl(text) : null
  return url !== null && url.hostname !== ''
}

/** An absolute URL that may have a query. */
const anyHttpUrl = z
  .string()
  .refine(
    (value) => /^https?:\/\/[^\s\\]+$/i.test(value) && parseUrl(value) !== null,
    'must be an absolute http(s) URL',
  )

/** Text that can be sent in a header: a key with a line break or a typographic quote would make every call fail. */
const keyText = z.string().regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')

const onOff = z.enum(['on', 'off'], { error: 'must be "on" or "off"' }).optional()

export function isPostgresUrl(url: string): boolean {
  return /^postgres(ql)?:\/\//.test(url)
}

/**
 * Whether special characters are percent-encoded. An unencoded one ends the password early, which leaves an @ further back
 * or a port that is not a number.
 */
function isEncodedUrl(text: string): boolean {
  const url = /[\s\\]/.test(text) ? null : parseUrl(text)
  if (!url) return false
  const { username, password, pathname, search, hash } = url
  return !/%(?![0-9a-f]{2})/i.test(username + password) && !/[@#]/.test(pathname + search + hash)
}

export const settings = {
  HOST: setting(z.string().min(1).default('127.0.0.1'), '127.0.0.1', 'address to listen on'),
  PORT: setting(port(4000), '4000', 'port to listen on; 0 chooses a free port'),
  ADMIN_HOST: setting(
    z.string().min(1).default('127.0.0.1'),
    '127.0.0.1',
    'address of the listener for Prometheus; it needs no credential, so keep it inside your network',
  ),
  ADMIN_PORT: setting(port(4001), '4001', 'port of the metrics at /metrics; 0 turns them off'),
  PUBLIC_URL: setting(
    httpUrl.optional(),
    'http://HOST:PORT',
    'URL at which the upstream and callers reach the gateway',
  ),
  TTAPI_KEY: secret(
    keyText.optional(),
    null,
    'API key for the real upstream; if it is not set, the gateway starts and uses the embedded upstream',
  ),
  TTAPI_URL: setting(httpUrl.default('https://api.ttapi.io'), 'https://api.ttapi.io', 'base URL of the real upstream'),
  LOCAL_UPSTREAM_PORT: setting(port(4010), '4010', 'port of the embedded upstream, on 127.0.0.1'),
  LOCAL_UPSTREAM_KEY: secret(keyText.default('local-dev-key'), 'local-dev-key', 'key of the embedded upstream'),
  SWAPFACE_MODELS_DIR: setting(
    z.string().min(1).optional(),
    null,
    'folder with your own InsightFace models, which the embedded upstream then uses (docs/ENGINE.md)',
  ),
  DATABASE_URL: secret(
    z
      .string()
      .refine(
        (value) => value.startsWith('file:') || isPostgresUrl(value),
        'must be "file:" and a path, or "postgres://user:password@host/database"',
      )
      .refine(
        (value) => !isPostgresUrl(value) || isEncodedUrl(value),
        'must have the special characters of its password percent-encoded: %25 for %, %2F for /, %23 for #, %3F for ?, %40 for @',
      )
      .optional(),
    'file:DATA_DIR/gateway.db',
    'file:path for the embedded database, or postgres://user:password@host/database for several processes',
  ),
  DATA_DIR: setting(z.string().min(1).default('./data'), './data', 'data folder; each process needs its own'),
  BLOB_URL: secret(
    z
      .string()
      .refine(
        (value) => value.startsWith('file:') || (value.startsWith('s3://') && parseUrl(value) !== null),
        'must be "file:" and a path, or "s3://bucket/prefix?endpoint=https://…"',
      )
      .optional(),
    'file:DATA_DIR/images',
    'image storage: file:path, or s3://bucket/prefix for an S3-compatible store; several processes must share it',
  ),
  AWS_ACCESS_KEY_ID: secret(
    keyText.optional(),
    null,
    'access key id for the S3-compatible store; requires AWS_SECRET_ACCESS_KEY',
  ),
  AWS_SECRET_ACCESS_KEY: secret(keyText.optional(), null, 'secret access key for the S3-compatible store'),
  GATEWAY_SECRET: secret(
    z.string().min(16, 'must have at least 16 characters').optional(),
    'generated on the first start, stored in DATA_DIR',
    'signs hook URLs, image URLs and watch tokens; to rotate it, set a comma-separated list: the first signs, all verify',
  ),
  API_KEYS: secret(
    z.string().optional(),
    'none; with TTAPI_KEY and a PUBLIC_URL beyond loopback, a key is generated and stored in DATA_DIR',
    'comma-separated tenant:sha256hex or tenant:sha256hex:read+write+admin; or file:path with one per line, reloaded when it changes',
  ),
  JWKS_URL: secret(
    anyHttpUrl.optional(),
    null,
    'JSON Web Key Set that verifies JWT bearer tokens; requires JWT_ISSUER and JWT_AUDIENCE',
  ),
  JWT_ISSUER: setting(z.string().min(1).optional(), null, 'required issuer (iss) of JWTs'),
  JWT_AUDIENCE: setting(z.string().min(1).optional(), null, 'required audience (aud) of JWTs'),
  ALLOWED_ORIGINS: setting(
    z.string().optional(),
    'the gateway’s own origin; on loopback without keys, also every loopback origin',
    'comma-separated origins of web pages and packaged apps that may call the gateway: https://app.example.com, capacitor://localhost',
  ),
  ALLOWED_PRIVATE_HOSTS: setting(
    z.string().optional(),
    'the embedded upstream and PUBLIC_URL',
    'comma-separated host or host:port of image servers that are allowed although their address is private; adds to the default',
  ),
  GRAPHIQL: setting(onOff, 'on for a loopback HOST', 'the GraphiQL page at /graphql'),
  INTROSPECTION: setting(
    onOff,
    'on for a loopback HOST',
    'introspection, the schema at /schema.graphql, and suggestions of names in errors',
  ),
  REST_API: setting(onOff, 'off', 'the upstream’s REST API at /insightFace/v1, for existing clients'),
  TRUSTED_DOCUMENTS: setting(
    z.string().min(1).optional(),
    null,
    'JSON file of the only operations that are allowed, by SHA-256, such as schema/trusted-documents.json',
  ),
  TENANT_REQUESTS_PER_MINUTE: setting(count.default(600), '600', 'requests per minute for each tenant'),
  TENANT_QUOTA_PER_DAY: setting(
    count.optional(),
    null,
    'quota units of the upstream that each tenant may spend per UTC day',
  ),
  TENANT_MAX_IN_FLIGHT: setting(count.optional(), null, 'unfinished swaps of each tenant, including queued ones'),
  WS_MAX_OPERATIONS: setting(
    count.default(5_000),
    '5000',
    'concurrent operations on one WebSocket authenticated by API key or JWT; the limit is 50 for a watch token or no credential',
  ),
  MAX_IN_FLIGHT: setting(count.default(10), '10', 'concurrent swaps at the upstream; further swaps are queued'),
  FETCH_PER_SECOND: setting(
    positive('must be a number').default(20),
    '20',
    'fetches per second at the upstream, for all swaps together',
  ),
  SUBMIT_BEFORE_S: setting(seconds(900), '900', 'seconds until a queued swap fails without being submitted'),
  ON_QUEUE_DEADLINE_S: setting(seconds(900), '900', 'seconds until a submitted swap without an outcome becomes LOST'),
  UNCONFIRMED_DEADLINE_S: setting(
    seconds(1_800),
    '1800',
    'seconds until a swap whose submit had no response becomes LOST',
  ),
  DRAIN_READY_S: setting(
    decimal('must be a number of seconds', true).optional(),
    '0 for a loopback HOST, otherwise 5',
    'seconds that a stopping gateway keeps serving while /readyz returns 503, so that load balancers stop sending requests',
  ),
  FAULT_AT: setting(
    z.string().optional(),
    null,
    'for crash tests: the fault point at which the process exits, as name or name@n',
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: setting(
    httpUrl.optional(),
    null,
    'base URL of an OpenTelemetry collector (OTLP over HTTP) to which traces are exported, such as http://127.0.0.1:4318; turns traces on (docs/TRACES.md)',
  ),
  LOG_LEVEL: setting(
    z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` }).default('info'),
    'info',
    'log level; logs are JSON lines on standard output, or readable text on a terminal',
  ),
} as const

export type SettingValues = { readonly [Name in keyof typeof settings]: z.infer<(typeof settings)[Name]['schema']> }

/** The table as text. */
export function describeSettings(): string {
  const rows = Object.entries(settings).map(([name, { meaning, default: fallback }]) => [
    name,
    `${meaning} (${fallback === null ? 'no default' : `default: ${fallback}`})`,
  ])
  const width = Math.max(...rows.map(([name]) => name?.length ?? 0))
  return rows.map(([name = '', text = '']) => `  ${name.padEnd(width)}  ${text}`).join('\n')
}

/** The settings that differ from their defaults, for the log; a secret one as `set`. */
export function listChanged(values: SettingValues): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries<Setting<unknown>>(settings).flatMap(([name, { schema, isSecret }]) => {
      const value: unknown = Reflect.get(values, name)
      return value === undefined || value === schema.parse(undefined) ? [] : [[name, isSecret ? 'set' : value]]
    }),
  )
}
