/** Who may import whom, as a table: the layers of docs/ARCHITECTURE.md, and the packages beside them. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'

interface Floor {
  /** Paths below `src/`, the longest match decides. */
  readonly files: readonly string[]
  /** What it may import of `src/`, besides its own folder. */
  readonly mayImport: readonly string[]
  /** The packages it may import; Node's own are free to all. */
  readonly packages: readonly string[]
}

const CONTRACTS = [
  'store/job-store.ts',
  'journal/hook-journal.ts',
  'bus/event-bus.ts',
  'upstream/upstream.ts',
  'auth/viewer.ts',
  'limits/limiter.ts',
  'blob/blob-store.ts',
  'images/image-codec.ts',
  'store/image-store.ts',
  'upstream/result-source.ts',
  'store/webhook-store.ts',
  'webhooks/webhook-sender.ts',
]

const FLOORS: Record<string, Floor> = {
  lib: { files: ['lib/'], mayImport: [], packages: [] },
  // The guard hands undici its connector.
  'address guard': { files: ['lib/address-guard.ts'], mayImport: [], packages: ['undici'] },
  // One decoder, and one HTTP client for images, for the gateway and the embedded upstream.
  'image decoder': { files: ['lib/image-decoder.ts'], mayImport: [], packages: ['sharp'] },
  download: { files: ['lib/download.ts'], mayImport: [], packages: ['undici'] },
  domain: { files: ['domain/'], mayImport: ['lib/'], packages: [] },
  contracts: { files: CONTRACTS, mayImport: ['domain/', 'lib/'], packages: [] },
  store: { files: ['store/'], mayImport: ['domain/', 'lib/'], packages: ['kysely', 'libsql', 'lru-cache', 'pg'] },
  journal: { files: ['journal/'], mayImport: ['domain/', 'lib/'], packages: [] },
  bus: { files: ['bus/'], mayImport: ['domain/', 'lib/'], packages: ['pg'] },
  upstream: { files: ['upstream/'], mayImport: ['domain/', 'lib/'], packages: ['undici'] },
  auth: { files: ['auth/'], mayImport: ['domain/', 'lib/'], packages: ['jose'] },
  blob: { files: ['blob/'], mayImport: ['domain/', 'lib/'], packages: ['aws4fetch'] },
  images: { files: ['images/'], mayImport: ['domain/', 'lib/'], packages: ['sharp'] },
  webhooks: { files: ['webhooks/'], mayImport: ['domain/', 'lib/'], packages: ['standardwebhooks', 'undici'] },
  limits: { files: ['limits/'], mayImport: ['domain/', 'lib/'], packages: ['pg', 'rate-limiter-flexible'] },
  'telemetry events': { files: ['telemetry/events.ts'], mayImport: ['domain/', 'lib/'], packages: [] },
  telemetry: { files: ['telemetry/'], mayImport: ['domain/', 'lib/'], packages: ['pino', 'pino-pretty'] },
  jobs: {
    files: ['jobs/'],
    mayImport: [...CONTRACTS, 'telemetry/events.ts', 'domain/', 'lib/'],
    packages: ['dataloader', 'zod'],
  },
  graphql: {
    files: ['graphql/'],
    mayImport: ['jobs/', ...CONTRACTS, 'telemetry/events.ts', 'domain/', 'lib/'],
    packages: [
      '@graphql-yoga/render-graphiql',
      '@pothos/core',
      '@pothos/plugin-relay',
      'dataloader',
      'graphql',
      'graphql-ws',
      'graphql-yoga',
      'lru-cache',
      'ws',
    ],
  },
  http: {
    files: ['http/'],
    mayImport: ['jobs/', 'page/', ...CONTRACTS, 'telemetry/events.ts', 'domain/', 'lib/'],
    packages: [],
  },
  page: { files: ['page/'], mayImport: ['lib/'], packages: [] },
  roof: {
    files: ['main.ts', 'copy-database.ts', 'webhook-secret.ts', 'doors.ts', 'server.ts', 'config/'],
    mayImport: [
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
      'store/',
      'telemetry/',
      'upstream/',
      'webhooks/',
      'app.ts',
      'server.ts',
    ],
    packages: ['zod'],
  },
  'composition root': {
    files: ['app.ts', 'open-authentication.ts', 'open-embedded.ts', 'open-images.ts', 'open-storage.ts'],
    mayImport: [
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
      'doors.ts',
      'open-authentication.ts',
      'open-embedded.ts',
      'open-images.ts',
      'open-storage.ts',
      'server.ts',
    ],
    // Types of what the embedded upstream reports.
    packages: ['swapface-gateway-engine'],
  },
}

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts') && file !== 'graphql/generated.ts',
)

function floorOf(file: string): [string, Floor] {
  const matches = Object.entries(FLOORS).flatMap(([name, floor]) =>
    floor.files
      .filter((prefix) => file === prefix || (prefix.endsWith('/') && file.startsWith(prefix)))
      .map((prefix) => ({ name, floor, prefix })),
  )
  const best = matches.toSorted((a, b) => b.prefix.length - a.prefix.length)[0]
  if (!best) throw new Error(`src/${file} stands on no floor`)
  return [best.name, best.floor]
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  const statements = /^(?:import|export)\b[^'";]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm
  return [...text.matchAll(statements)]
    .map(([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? '')
    .filter((specifier) => !specifier.includes('$'))
}

function offences(file: string): string[] {
  const [name, { mayImport, packages }] = floorOf(file)
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
    const isOwnFolder = file.includes('/') && target.startsWith(`${file.split('/')[0]}/`)
    const isAllowed = mayImport.some(
      (prefix) => target === prefix || (prefix.endsWith('/') && target.startsWith(prefix)),
    )
    return isOwnFolder || isAllowed ? [] : [`${file} (${name}) imports ${target}`]
  })
}

test('every file stands on a floor and imports only what its floor may', () => {
  expect(sources.flatMap(offences)).toEqual([])
})

/** The embedded upstream is a program of its own, which knows nothing of the gateway. */
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
  expect({ loads, importsValues }).toEqual({ loads: ['open-embedded.ts'], importsValues: [] })
})

test('the table would notice', () => {
  expect(sources.length).toBeGreaterThan(40)
  expect(importsOf('src/app/app.ts')).toEqual(expect.arrayContaining(['./config/config.ts', 'swapface-gateway-engine']))
})

describe.each([
  ['process.env', /\bprocess\.env\b/, ['config/read-env.ts']],
  ['console', /\bconsole\./, []],
  ['Date.now', /\bDate\.now\b|\bnew Date\(\)/, ['lib/clock.ts']],
  ['Math.random', /\bMath\.random\b|\brandom\b.*= Math/, ['app.ts']],
  ['process.exit', /\bprocess\.exit\(/, ['main.ts']],
] as const)('%s', (_name, pattern, homes: readonly string[]) => {
  test('is used in its one home only', () => {
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
