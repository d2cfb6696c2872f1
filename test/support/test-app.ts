/**
 * The whole gateway in this process, on a free port, with its own data folder, in front of a fake upstream. Closed
 * after the test.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type App, openApp } from '../../src/app/app.ts'
import { toConfig } from '../../src/config/config.ts'
import { openDataDir } from '../../src/config/data-dir.ts'
import { parseSettings } from '../../src/config/env.ts'
import { readSecrets } from '../../src/config/secrets.ts'
import { type Clock, systemClock } from '../../src/lib/time/clock.ts'
import { closeAfterTest } from './close-after-test.ts'
import { findDatabase, isOnPostgres, openRawDatabase, type RawDatabase } from './raw-database.ts'
import { FAKE_KEY, type FakeUpstream, openFakeUpstream } from './fake-upstream.ts'
import { recordTelemetry, type TelemetryEvent } from './record-telemetry.ts'

export interface TestApp {
  readonly app: App
  readonly upstream: FakeUpstream
  readonly clock: Clock
  /** What the program would have logged, in order. */
  readonly events: readonly TelemetryEvent[]
  /** Returns the number of database statements so far. */
  queries(): number
  /** Posts a document; resolves to the parsed response. */
  graphql(query: string, variables?: object, headers?: Record<string, string>): Promise<GraphqlResponse>
}

export interface GraphqlResponse {
  readonly status: number
  // A test knows the shape of its query.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly data: any
  readonly errors?: readonly { message: string; locations?: unknown; path?: unknown; extensions?: { code?: string } }[]
}

export interface TestAppOptions {
  readonly settings?: Record<string, string>
  readonly clock?: Clock
  readonly upstream?: FakeUpstream
  readonly dataDir?: string
}

export async function openTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const upstream = options.upstream ?? (await openFakeUpstream())
  if (!options.upstream) closeAfterTest(() => upstream.close())
  const dataDir = options.dataDir ?? (await makeDataDir())
  const values = parseSettings({
    PORT: '0',
    ADMIN_PORT: '0',
    TTAPI_KEY: FAKE_KEY,
    TTAPI_URL: upstream.url,
    DATA_DIR: dataDir,
    GRAPHIQL: 'off',
    TENANT_REQUESTS_PER_MINUTE: '1000000',
    ...(await settingsOfEngine(dataDir)),
    ...options.settings,
  })
  const config = toConfig(values)
  const lock = await openDataDir(config.dataDir)
  const { telemetry, events, queries } = recordTelemetry()
  const opened = await openApp({
    config,
    secrets: readSecrets(values, config.dataDir),
    telemetry,
    version: '0.0.0-test',
    upstreamLog: () => {},
    ...(options.clock && { clock: options.clock }),
  }).catch((error: unknown) => {
    lock.release()
    throw error
  })
  const app = {
    ...opened,
    close: async () => {
      await opened.close()
      lock.release()
    },
  }
  closeAfterTest(() => app.close())
  return {
    app,
    upstream,
    clock: options.clock ?? systemClock,
    events,
    queries,
    graphql: (query, variables, headers) => postGraphql(app.url, query, variables, headers),
  }
}

/** Databases by data folder. */
const databases = new Map<string, Awaited<ReturnType<typeof findDatabase>>>()

async function settingsOfEngine(dataDir: string) {
  const database = databases.get(dataDir) ?? (await findDatabase(dataDir))
  if (!databases.has(dataDir)) closeAfterTest(() => database.drop())
  databases.set(dataDir, database)
  return { DATABASE_URL: database.url, ...(isOnPostgres && { GATEWAY_SECRET: 'a secret for all processes' }) }
}

/** Returns the `DATABASE_URL` of the gateway on `dataDir`. */
export async function databaseUrlOf(dataDir: string): Promise<string> {
  return (await settingsOfEngine(dataDir)).DATABASE_URL
}

/** Opens direct access to the database of the gateway on `dataDir`; closed after the test. */
export async function openRawDatabaseOf(dataDir: string): Promise<RawDatabase> {
  const database = await openRawDatabase(await databaseUrlOf(dataDir))
  closeAfterTest(() => database.close())
  return database
}

export async function makeDataDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'swapface-test-'))
  closeAfterTest(() => rm(dir, { recursive: true, force: true }))
  return dir
}

export async function postGraphql(
  url: string,
  query: string,
  variables: object = {},
  headers: Record<string, string> = {},
): Promise<GraphqlResponse> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
  })
  // Every GraphQL response has this shape.
  return { status: response.status, ...((await response.json()) as Omit<GraphqlResponse, 'status'>) }
}

/** Yields the events of a subscription over SSE until it completes or `signal` aborts. */
export async function* subscribeSse(
  url: string,
  query: string,
  variables: object,
  signal?: AbortSignal,
  headers: Record<string, string> = {},
): AsyncGenerator<Omit<GraphqlResponse, 'status'>> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...headers },
    body: JSON.stringify({ query, variables }),
    ...(signal && { signal }),
  })
  if (!response.body) throw new Error('no stream')
  let text = ''
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const event = text.slice(0, end)
      text = text.slice(end + 2)
      const data = /^data: (.+)$/m.exec(event)?.[1]
      if (event.startsWith('event: complete')) return
      if (data) yield JSON.parse(data) as Omit<GraphqlResponse, 'status'>
    }
  }
}
