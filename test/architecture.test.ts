/** The table of allowed imports: the layers of docs/ARCHITECTURE.md, and their packages. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'

interface Layer {
  /** Paths below `src/`; the longest match applies. */
  readonly files: readonly string[]
  /** The paths below `src/` that it may import, besides its own folder. */
  readonly mayImport: readonly string[]
  /** The packages that it may import; Node's own are always allowed. */
  readonly packages: readonly string[]
}

const CONTRACTS = [
  'auth/viewer.ts',
  'blob/blob-store.ts',
  'bus/event-bus.ts',
  'images/image-codec.ts',
  'journal/hook-journal.ts',
  'limits/limiter.ts',
  'store/image-store.ts',
  'store/job-store.ts',
  'store/webhook-store.ts',
  'telemetry/events.ts',
  'telemetry/tracing.ts',
  'upstream/result-source.ts',
  'upstream/upstream.ts',
  'webhooks/webhook-sender.ts',
]
const FOUNDATION = ['domain/', 'lib/']
const EVERYTHING = [
  'app/',
  'auth/',
  'blob/',
  'bus/',
  'config/',
  'domain/',
  'graphql/',
  'http/',
  'images/',
  'jobs/',
  'journal/',
  'lib/',
  'limits/',
  'store/',
  'telemetry/',
  'upstream/',
  'webhooks/',
]
const GRAPHQL_BASE = [...CONTRACTS, ...FOUNDATION, 'jobs/', 'graphql/schema/']

const LAYERS: Readonly<Record<string, Layer>> = {
  'composition root': {
    files: ['main.ts', 'app/', 'cli/'],
    mayImport: EVERYTHING,
    // Types of the embedded upstream's reports.
    packages: ['swapface-gateway-engine'],
  },
  config: {
    files: ['config/'],
    mayImport: ['graphql/operation/trusted-documents.ts', ...EVERYTHING],
    packages: ['zod'],
  },

  'graphql: server': {
    files: ['graphql/', 'graphql/plugins/'],
    mayImport: [...GRAPHQL_BASE, 'graphql/'],
    packages: ['@graphql-yoga/render-graphiql', 'graphql', 'graphql-yoga'],
  },
  'graphql: http': {
    files: ['graphql/http/'],
    mayImport: [...GRAPHQL_BASE, 'graphql/operation/', 'graphql/fast-path/', 'graphql/realtime/'],
    packages: ['graphql', 'lru-cache'],
  },
  'graphql: realtime': {
    files: ['graphql/realtime/'],
    mayImport: [...GRAPHQL_BASE, 'graphql/operation/'],
    packages: ['graphql', 'graphql-ws', 'ws'],
  },
  'graphql: fast path': {
    files: ['graphql/fast-path/'],
    mayImport: [...GRAPHQL_BASE, 'graphql/operation/'],
    packages: ['graphql', 'lru-cache'],
  },
  'graphql: operation': {
    files: ['graphql/operation/'],
    mayImport: GRAPHQL_BASE,
    packages: ['graphql', 'graphql-yoga'],
  },
  'graphql: schema': {
    files: ['graphql/schema/'],
    mayImport: GRAPHQL_BASE,
    packages: ['@pothos/core', '@pothos/plugin-relay', 'dataloader', 'graphql'],
  },
  http: { files: ['http/'], mayImport: [...CONTRACTS, ...FOUNDATION, 'jobs/', 'page/'], packages: [] },
  page: { files: ['page/'], mayImport: ['lib/'], packages: [] },

  'jobs: calls': {
    files: ['jobs/'],
    mayImport: [...CONTRACTS, ...FOUNDATION, 'jobs/'],
    packages: ['dataloader', 'zod'],
  },
  'jobs: lifecycle': {
    files: ['jobs/lifecycle/'],
    mayImport: [...CONTRACTS, ...FOUNDATION, 'jobs/images/'],
    packages: [],
  },
  'jobs: images': { files: ['jobs/images/'], mayImport: [...CONTRACTS, ...FOUNDATION], packages: [] },

  'store: SQL': { files: ['store/sql/'], mayImport: [...FOUNDATION, 'store/'], packages: ['kysely'] },
  'store: SQLite': {
    files: ['store/sqlite/'],
    mayImport: [...FOUNDATION, 'store/'],
    packages: ['kysely', 'libsql', 'lru-cache'],
  },
  'store: PostgreSQL': { files: ['store/postgres/'], mayImport: [...FOUNDATION, 'store/'], packages: ['kysely', 'pg'] },
  journal: { files: ['journal/'], mayImport: [...FOUNDATION, 'journal/'], packages: [] },
  bus: { files: ['bus/'], mayImport: [...FOUNDATION, 'bus/'], packages: ['pg'] },
  upstream: { files: ['upstream/'], mayImport: [...FOUNDATION, 'upstream/'], packages: ['undici'] },
  auth: { files: ['auth/'], mayImport: [...FOUNDATION, 'auth/'], packages: ['jose'] },
  blob: { files: ['blob/'], mayImport: [...FOUNDATION, 'blob/'], packages: ['aws4fetch'] },
  images: { files: ['images/'], mayImport: [...FOUNDATION, 'images/'], packages: ['sharp'] },
  webhooks: { files: ['webhooks/'], mayImport: [...FOUNDATION, 'webhooks/'], packages: ['standardwebhooks', 'undici'] },
  limits: { files: ['limits/'], mayImport: [...FOUNDATION, 'limits/'], packages: ['pg', 'rate-limiter-flexible'] },
  telemetry: { files: ['telemetry/'], mayImport: [...FOUNDATION, 'telemetry/'], packages: ['pino', 'pino-pretty'] },
  metrics: {
    files: ['telemetry/metrics/'],
    mayImport: [...CONTRACTS, ...FOUNDATION, 'telemetry/'],
    packages: ['prom-client'],
  },
  'telemetry: OpenTelemetry': {
    files: ['telemetry/otel/'],
    mayImport: [...FOUNDATION, 'telemetry/'],
    packages: [
      '@opentelemetry/api',
      '@opentelemetry/core',
      '@opentelemetry/exporter-trace-otlp-http',
      '@opentelemetry/resources',
      '@opentelemetry/sdk-trace-base',
    ],
  },

  contracts: { files: CONTRACTS, mayImport: FOUNDATION, packages: [] },
  domain: { files: ['domain/'], mayImport: ['lib/'], packages: [] },
  foundation: { files: ['lib/'], mayImport: [], packages: [] },
  // The address guard provides undici's connector.
  'address guard': { files: ['lib/net/address-guard.ts'], mayImport: ['lib/'], packages: ['undici'] },
  // The gateway and the embedded upstream share one decoder and one HTTP client for images.
  'image decoder': { files: ['lib/image/image-decoder.ts'], mayImport: ['lib/'], packages: ['sharp'] },
  download: { files: ['lib/net/download.ts'], mayImport: ['lib/'], packages: ['undici'] },
}

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

function layerOf(file: string): [string, Layer] {
  const matches = Object.entries(LAYERS).flatMap(([name, layer]) =>
    layer.files
      .filter((prefix) => file === prefix || (prefix.endsWith('/') && file.startsWith(prefix)))
      .map((prefix) => ({ name, layer, prefix })),
  )
  const best = matches.toSorted((a, b) => b.prefix.length - a.prefix.length)[0]
  if (!best) throw new Error(`src/${file} belongs to no layer`)
  return [best.name, best.layer]
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  const statements = /^(?:import|export)\b[^'";]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm
  return [...text.matchAll(statements)]
    .map(([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? '')
    .filter((specifier) => !specifier.includes('$'))
}

function offences(file: string): string[] {
  const [name, { mayImport, packages }] = layerOf(file)
  return importsOf(join('src', file)).flatMap((specifier) => {
    if (specifier.startsWith('node:')) return []
    if (!specifier.startsWith('.')) {
      return packages.includes(
        specifier
          .split('/')
          .slice(0, specifier.startsWith('@') ? 2 : 1)
          .join('/'),
      )
        ? []
        : [`${file} (${name}) imports the package ${specifier}`]
    }
    const target = relative('src', join('src', dirname(file), specifier))
    const isOwnFolder = layerOf(target)[0] === name
    const isAllowed = mayImport.some(
      (prefix) => target === prefix || (prefix.endsWith('/') && target.startsWith(prefix)),
    )
    return isOwnFolder || isAllowed ? [] : [`${file} (${name}) imports ${target}`]
  })
}

test('every file belongs to a layer and imports only what its layer may import, types included', () => {
  expect(sources.flatMap(offences)).toEqual([])
})

test('no file imports itself through other files, not even its types', () => {
  const imports = new Map(
    sources.map((file) => [
      file,
      importsOf(join('src', file))
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => relative('src', join('src', dirname(file), specifier))),
    ]),
  )
  const left = new Set(sources)
  // A file that imports none of the remaining files cannot be part of a cycle.
  for (let size = -1; size !== left.size;) {
    size = left.size
    for (const file of left) if (!imports.get(file)?.some((target) => left.has(target))) left.delete(file)
  }
  expect([...left]).toEqual([])
})

/** The embedded upstream is a separate program without knowledge of the gateway. */
const UPSTREAM_PACKAGES = new Set([
  '@tensorflow/tfjs-backend-wasm',
  '@tensorflow/tfjs-converter',
  '@tensorflow/tfjs-core',
  'libsql',
  'sharp',
  'undici',
  'zod',
])

test('the embedded upstream imports its own files, src/lib and its own packages only', () => {
  const root = join('packages', 'swapface', 'src')
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const found = files.flatMap((file) =>
    importsOf(join(root, file))
      .filter((specifier) => !specifier.startsWith('node:'))
      .filter((specifier) =>
        specifier.startsWith('.')
          ? ![root, join('src', 'lib')].some((folder) => join(root, dirname(file), specifier).startsWith(`${folder}/`))
          : !UPSTREAM_PACKAGES.has(specifier),
      )
      .map((specifier) => `${file} imports ${specifier}`),
  )
  expect(files.length).toBeGreaterThan(40)
  expect(found).toEqual([])
})

test('the gateway loads the embedded upstream in one place, lazily', () => {
  const loads = sources.filter((file) =>
    /import\('swapface-gateway-engine'\)/.test(readFileSync(join('src', file), 'utf8')),
  )
  const importsValues = sources.filter((file) =>
    /^import (?!type\b).*'swapface-gateway-engine'/m.test(readFileSync(join('src', file), 'utf8')),
  )
  expect({ loads, importsValues }).toEqual({ loads: ['app/open-embedded.ts'], importsValues: [] })
})

test('the checks of the architecture find the sources and their imports', () => {
  expect(sources.length).toBeGreaterThan(40)
  expect(importsOf('src/app/app.ts')).toEqual(
    expect.arrayContaining(['../config/config.ts', 'swapface-gateway-engine']),
  )
})

describe.each([
  ['process.env', /\bprocess\.env\b/, ['config/read-env.ts']],
  ['console', /\bconsole\./, []],
  ['Date.now', /\bDate\.now\b|\bnew Date\(\)/, ['lib/time/clock.ts']],
  ['Math.random', /\bMath\.random\b|\brandom\b.*= Math/, ['app/runtime.ts']],
  ['process.exit', /\bprocess\.exit\(/, ['main.ts']],
  // Unreliable in Node 20: `lib/net/parse-url.ts` says why.
  ['URL.canParse', /\bURL\.canParse\(/, []],
] as const)('%s', (_name, pattern, homes: readonly string[]) => {
  test('is used only in the one file that owns it', () => {
    const users = sources.filter((file) => pattern.test(readFileSync(join('src', file), 'utf8')))
    expect(users.filter((file) => !homes.includes(file))).toEqual([])
  })
})

test('no source file is longer than 350 lines without a reason in its header', () => {
  const long = sources.filter((file) => {
    const text = readFileSync(join('src', file), 'utf8')
    return text.split('\n').length > 350 && !/^\/\*\*[\s\S]*?350 lines/.test(text)
  })
  expect(long).toEqual([])
})
