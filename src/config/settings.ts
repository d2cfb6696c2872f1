/**
 * Every setting: its name, what it means, its default, and how its text is read. `--help` prints this table and the
 * start reads it, so the two cannot differ.
 */
import * as z from 'zod'
import { LOG_LEVELS } from '../telemetry/logger.ts'

interface Setting<T> {
  readonly meaning: string
  /** Written out for people, where a default exists. */
  readonly default: string | null
  /** Text of the environment → value; undefined stands for "not set". */
  readonly schema: z.ZodType<T>
}

function setting<T>(schema: z.ZodType<T>, fallback: string | null, meaning: string): Setting<T> {
  return { schema, default: fallback, meaning }
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

const positive = (problem: string) => decimal(problem, true).refine((value) => value > 0, 'must be more than 0')

const seconds = (fallback: number) => positive('must be a number of seconds').default(fallback)

const count = decimal('must be a whole number', false).refine((value) => value >= 1, 'must be at least 1')

/** As it was given, but for a slash at its end. */
const httpUrl = z
  .string()
  .refine(isPlainHttpUrl, 'must be an absolute http(s) address, without a user name, a query or a #')
  .transform((value) => value.replace(/\/+$/, ''))

function isPlainHttpUrl(text: string): boolean {
  // `URL` would drop line breaks, and read a backslash as a slash.
  if (!/^https?:\/\/[^\s\\?#@]+$/i.test(text) || !URL.canParse(text)) return false
  return new URL(text).hostname !== ''
}

/** Where a query is part of the address. */
const anyHttpUrl = z
  .string()
  .refine((value) => /^https?:\/\/[^\s\\]+$/i.test(value) && URL.canParse(value), 'must be an absolute http(s) address')

/** What can be sent in a header: a key that was copied with a line break or a typographic quote would fail each call. */
const keyText = z.string().regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without blanks')

const onOff = z.enum(['on', 'off'], { error: 'must be "on" or "off"' }).optional()

export function isPostgresUrl(url: string): boolean {
  return /^postgres(ql)?:\/\//.test(url)
}

/** Whether it reads as it was meant: what ends the password too early leaves an @ further back, or a port of letters. */
function isEncodedUrl(text: string): boolean {
  if (/[\s\\]/.test(text) || !URL.canParse(text)) return false
  const { username, password, pathname, search, hash } = new URL(text)
  return !/%(?![0-9a-f]{2})/i.test(username + password) && !/[@#]/.test(pathname + search + hash)
}

export const settings = {
  HOST: setting(z.string().min(1).default('127.0.0.1'), '127.0.0.1', 'address to listen on'),
  PORT: setting(port(4000), '4000', 'port to listen on; 0 takes a free one'),
  PUBLIC_URL: setting(httpUrl.optional(), 'http://HOST:PORT', 'how the upstream and callers reach this gateway'),
  TTAPI_KEY: setting(
    keyText.optional(),
    null,
    'key of the real upstream; without it the embedded upstream is started and used',
  ),
  TTAPI_URL: setting(
    httpUrl.default('https://api.ttapi.io'),
    'https://api.ttapi.io',
    'base address of the real upstream',
  ),
  LOCAL_UPSTREAM_PORT: setting(port(4010), '4010', 'port of the embedded upstream, on 127.0.0.1'),
  LOCAL_UPSTREAM_KEY: setting(keyText.default('local-dev-key'), 'local-dev-key', 'key of the embedded upstream'),
  SWAPFACE_MODELS_DIR: setting(
    z.string().min(1).optional(),
    null,
    'folder with your own InsightFace models for the embedded upstream, which then swaps with them (docs/ENGINE.md)',
  ),
  DATABASE_URL: setting(
    z
      .string()
      .refine(
        (value) => value.startsWith('file:') || isPostgresUrl(value),
        'must be "file:" and a path, or "postgres://user:password@host/database"',
      )
      .refine(
        (value) => !isPostgresUrl(value) || isEncodedUrl(value),
        'must have special characters in its password percent-encoded: %25 for %, %2F for /, %23 for #, %3F for ?, %40 for @',
      )
      .optional(),
    'file:DATA_DIR/gateway.db',
    'the embedded database, as file:path; or postgres://user:password@host/database, for several processes',
  ),
  DATA_DIR: setting(
    z.string().min(1).default('./data'),
    './data',
    'folder for everything that is kept; of one process',
  ),
  BLOB_URL: setting(
    z
      .string()
      .refine(
        (value) => value.startsWith('file:') || (value.startsWith('s3://') && URL.canParse(value)),
        'must be "file:" and a path, or "s3://bucket/prefix?endpoint=https://…"',
      )
      .optional(),
    'file:DATA_DIR/images',
    'where images are kept: a folder, or an S3-compatible store; several processes need a shared one',
  ),
  AWS_ACCESS_KEY_ID: setting(keyText.optional(), null, 'key of the S3-compatible store; with the next one'),
  AWS_SECRET_ACCESS_KEY: setting(keyText.optional(), null, 'its secret'),
  GATEWAY_SECRET: setting(
    z.string().min(16, 'must have at least 16 characters').optional(),
    'made on first start, kept in DATA_DIR',
    'signs hook addresses, image addresses and watch tokens; a comma-separated list rotates it: the first signs, all verify',
  ),
  API_KEYS: setting(
    z.string().optional(),
    'none; with TTAPI_KEY and a PUBLIC_URL beyond loopback one is created, kept in DATA_DIR',
    'comma-separated tenant:sha256hex or tenant:sha256hex:read+write+admin, or file:path with one a line, read again when it changes',
  ),
  JWKS_URL: setting(anyHttpUrl.optional(), null, 'keys of the JWTs that are taken as bearer tokens; with the next two'),
  JWT_ISSUER: setting(z.string().min(1).optional(), null, 'who must have issued them'),
  JWT_AUDIENCE: setting(z.string().min(1).optional(), null, 'whom they must be meant for'),
  ALLOWED_ORIGINS: setting(
    z.string().optional(),
    'the gateway’s own origin; without keys on loopback, every loopback origin too',
    'comma-separated origins of web pages and packaged apps that may call the gateway: https://app.example.com, capacitor://localhost',
  ),
  ALLOWED_PRIVATE_HOSTS: setting(
    z.string().optional(),
    'the embedded upstream and PUBLIC_URL',
    'comma-separated host or host:port of images that may be used although the address is private; adds to the default',
  ),
  GRAPHIQL: setting(onOff, 'on for a loopback HOST', 'the GraphiQL page at /graphql'),
  INTROSPECTION: setting(
    onOff,
    'on for a loopback HOST',
    'introspection, the schema at /schema.graphql, and names suggested in errors',
  ),
  REST_DOOR: setting(
    onOff,
    'off',
    'the upstream’s own REST calls at /insightFace/v1, for clients that know no GraphQL',
  ),
  TRUSTED_DOCUMENTS: setting(
    z.string().min(1).optional(),
    null,
    'file with the only operations that run, by their SHA-256: schema/trusted-documents.json, or one of your own',
  ),
  TENANT_REQUESTS_PER_MINUTE: setting(count.default(600), '600', 'requests of one tenant'),
  TENANT_QUOTA_PER_DAY: setting(count.optional(), null, 'units of the upstream that one tenant may spend in a UTC day'),
  TENANT_MAX_IN_FLIGHT: setting(count.optional(), null, 'unfinished swaps of one tenant, waiting ones included'),
  WS_MAX_OPERATIONS: setting(
    count.default(5_000),
    '5000',
    'operations at one time on one WebSocket of an API key or a JWT; a watch token, or a caller without a credential, has 50',
  ),
  MAX_IN_FLIGHT: setting(count.default(10), '10', 'swaps at the upstream at one time; the others wait'),
  FETCH_PER_SECOND: setting(
    positive('must be a number').default(20),
    '20',
    'fetches upstream a second, for all swaps together',
  ),
  SUBMIT_BEFORE_S: setting(seconds(900), '900', 'how long a swap may wait to be sent before it fails, unsent'),
  ON_QUEUE_DEADLINE_S: setting(seconds(900), '900', 'how long the upstream may work before a swap counts as lost'),
  UNCONFIRMED_DEADLINE_S: setting(seconds(1_800), '1800', 'how long a submit without an answer is waited for'),
  DRAIN_READY_S: setting(
    decimal('must be a number of seconds', true).optional(),
    '0 for a loopback HOST, otherwise 5',
    'how long a stopping gateway still serves while /readyz answers 503, so that load balancers turn away first',
  ),
  FAULT_AT: setting(
    z.string().optional(),
    null,
    'for tests of what survives a crash: the fault point at which the process dies, as name or name@n',
  ),
  LOG_LEVEL: setting(
    z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` }).default('info'),
    'info',
    'JSON lines on standard output; readable text on a terminal',
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
