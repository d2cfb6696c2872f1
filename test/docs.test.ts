/** Keeps the documents true: compares names, links, paths and examples with the repository. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { buildSchema, GraphQLError, isInterfaceType, parse, validate } from 'graphql'
import { expect, test } from 'vitest'
import { settings } from '../src/config/settings.ts'
import { createMetrics } from '../src/telemetry/metrics/metrics.ts'

type Versions = Readonly<Record<string, string>>

interface Manifest {
  readonly scripts: Versions
  readonly dependencies: Versions
  readonly devDependencies: Versions
  readonly overrides: Versions
}

interface Block {
  readonly file: string
  /** The unchanged text after the opening fence. */
  readonly language: string
  readonly text: string
}

const read = (path: string) => readFileSync(path, 'utf8')

const manifest = JSON.parse(read('package.json')) as Manifest
const engine = JSON.parse(read('packages/swapface/package.json')) as Manifest
const bench = JSON.parse(read('bench/package.json')) as Manifest
const documents = [
  ...readdirSync('.').filter((name) => name.endsWith('.md')),
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
]

function licenceOf(name: string): string {
  return (JSON.parse(read(`node_modules/${name}/package.json`)) as { readonly license: string }).license
}

/** Returns the text between a heading and the next of its level. */
function section(file: string, heading: string): string {
  const [, after] = read(file).split(`\n## ${heading}\n`)
  if (after === undefined) throw new Error(`${file} has no section "${heading}"`)
  return after.split('\n## ')[0] ?? ''
}

/** Returns the table rows of a text, without headers, keyed by the name in backticks that each begins with. */
function tableRows(text: string): [string, string[]][] {
  return [...text.matchAll(/^\| `([^`]+)` \|(.+)\|$/gm)].map(([, name = '', rest = '']) => [
    name,
    rest.split(' | ').map((cell) => cell.trim()),
  ])
}

function fencedBlocks(file: string): Block[] {
  return [...read(file).matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
    file,
    language: language.trim(),
    text,
  }))
}

const withoutBlocks = (file: string) => read(file).replaceAll(/^```[\s\S]*?^```$/gm, '')

/** Text in backticks that is a path of this repository: `src/app/app.ts`, `schema/operations/`. */
function namedPaths(file: string): string[] {
  return [...withoutBlocks(file).matchAll(/`((?:src|test|schema|scripts|bench|docs|packages|\.ci)\/[\w./-]*)`/g)].map(
    ([, path = '']) => path,
  )
}

test('docs/SETTINGS.md has the table of the settings that are parsed at the start', () => {
  const rows = Object.fromEntries(tableRows(read('docs/SETTINGS.md')))
  const expected = Object.entries(settings).map(([name, { default: fallback, meaning }]) => [
    name,
    [fallback ?? 'none', meaning],
  ])
  expect(rows).toEqual(Object.fromEntries(expected))
})

test('docs/METRICS.md has the table of the metrics that a gateway serves', () => {
  const { registry } = createMetrics({ version: '', database: 'sqlite', upstream: 'embedded' }, () => 0)
  const rows = Object.fromEntries(
    tableRows(read('docs/METRICS.md')).map(([name, [type, labels]]) => [name, [type, labels]]),
  )
  const served = registry.getMetricsAsArray().map((metric) => {
    const labels = (Reflect.get(metric, 'labelNames') as readonly string[]).map((label) => `\`${label}\``)
    return [metric.name, [String(metric.type), labels.join(', ') || '-']] as const
  })
  expect(rows).toMatchObject(Object.fromEntries(served))
  const isOwn = (name: string) => name.startsWith('swapface_')
  expect(Object.keys(rows).filter(isOwn)).toEqual(served.map(([name]) => name).filter(isOwn))
})

/** Returns the packages in a bundle, as `name@version`, with their licences. */
function bundledPackages(...files: readonly string[]): Map<string, string> {
  const found = files.flatMap((file) => [...read(file).matchAll(/^(\S+@\d\S*) \((.+)\)$/gm)])
  return new Map(found.map(([, name = '', licence = '']) => [name, licence]))
}

const BUNDLES = ['dist/THIRD_PARTY_LICENSES.txt', 'packages/swapface/dist/THIRD_PARTY_LICENSES.txt']
const nameOf = (package_: string) => package_.slice(0, package_.lastIndexOf('@'))
const bundled = new Set([...bundledPackages(...BUNDLES).keys()].map(nameOf))
const builtWith = { ...manifest.devDependencies, ...engine.devDependencies }
const pick = (packages: Versions, isWanted: (name: string) => boolean) =>
  Object.keys(packages).filter(isWanted).toSorted()

test.each([
  ['Installed with the program', pick({ ...manifest.dependencies, ...engine.dependencies }, () => true)],
  ['Bundled into the program', pick(builtWith, (name) => bundled.has(name))],
  ['What it is built and tested with', pick(builtWith, (name) => !bundled.has(name))],
])('DEPENDENCIES.md, "%s": names the packages of package.json under their licences', (heading, packages) => {
  const rows = tableRows(section('DEPENDENCIES.md', heading))
  expect(rows.map(([name]) => name)).toEqual(packages)
  const licences = rows.map(([name, cells]) => [name, cells.at(-1)])
  const declared = rows.map(([name]) => [name, licenceOf(name)])
  expect(licences).toEqual(declared)
})

test('DEPENDENCIES.md names every package of the benchmarks', () => {
  const rows = tableRows(section('DEPENDENCIES.md', 'Packages of the benchmarks'))
  expect(rows.map(([name]) => name)).toEqual(Object.keys(bench.dependencies))
})

test('DEPENDENCIES.md counts the licences of all installed and bundled packages', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    readonly packages: Readonly<
      Record<string, { license?: string; dev?: boolean; devOptional?: boolean; link?: boolean }>
    >
  }
  const installed = Object.entries(packages).filter(
    ([path, { dev, devOptional, link }]) => path.startsWith('node_modules/') && !dev && !devOptional && !link,
  )
  const counts: Record<string, number> = {}
  for (const licence of [
    ...installed.map(([, { license = 'none' }]) => license),
    ...bundledPackages(...BUNDLES).values(),
  ]) {
    counts[licence] = (counts[licence] ?? 0) + 1
  }
  const rows = tableRows(section('DEPENDENCIES.md', 'Licences of everything installed or bundled'))
  expect(Object.fromEntries(rows.map(([name, [count = '']]) => [name, Number.parseInt(count, 10)]))).toEqual(counts)
})

test('DEPENDENCIES.md names the overrides and pins of package.json', () => {
  const versions = (heading: string) =>
    Object.fromEntries(tableRows(section('DEPENDENCIES.md', heading)).map(([name, cells]) => [name, cells[0]]))
  expect(versions('Overrides')).toEqual(manifest.overrides)
  expect({ ...manifest.dependencies, ...manifest.devDependencies }).toMatchObject(
    versions('Pins that must not move alone'),
  )
})

test.each(documents)('%s: every link within the repository has a target', (file) => {
  const targets = [...withoutBlocks(file).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
  const broken = targets.filter((target) => {
    const [path = '', anchor] = target.split('#')
    const resolved = path === '' ? file : join(dirname(file), path)
    if (!existsSync(resolved)) return true
    return anchor !== undefined && !anchors(resolved).includes(anchor)
  })
  expect(broken).toEqual([])
})

/** Returns the anchors of the headings of a Markdown page. */
function anchors(file: string): string[] {
  return [...withoutBlocks(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

test.each(documents)('%s: every named path of the repository exists', (file) => {
  expect(namedPaths(file).filter((path) => !existsSync(path))).toEqual([])
})

test.each(documents)('%s: every named script is in package.json', (file) => {
  const named = [...read(file).matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g)].map(
    ([, script, short]) => script ?? short ?? '',
  )
  expect(named.filter((script) => !(script in manifest.scripts))).toEqual([])
})

const schema = buildSchema(read('schema/schema.graphql'))
const blocks = documents.flatMap(fencedBlocks)

test('every GraphQL document in the docs is valid for the schema', () => {
  const problems = blocks
    .filter(({ language }) => language === 'graphql')
    .flatMap(({ file, text }) => problemsOf(text).map((message) => `${file}: ${message}\n${text}`))
  expect(problems).toEqual([])
})

test('every schema excerpt in the docs parses', () => {
  const excerpts = blocks.filter(({ language }) => language === 'graphql schema')
  expect(excerpts.map(({ text }) => parse(text).kind)).toEqual(excerpts.map(() => 'Document'))
})

test('every command in the docs that sends a document sends a valid one', () => {
  const bodies = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ file, text }) =>
      [...text.matchAll(/\/graphql .*-d '(\{.+\})'/g)].map(([, body = '{}']) => ({
        file,
        body: JSON.parse(body) as unknown,
      })),
    )
  const problems = bodies.flatMap(({ file, body }) =>
    typeof body === 'object' && body !== null && 'query' in body && typeof body.query === 'string'
      ? problemsOf(body.query).map((message) => `${file}: ${message}`)
      : [`${file}: a body without a query`],
  )
  expect(bodies.length).toBeGreaterThan(0)
  expect(problems).toEqual([])
})

function problemsOf(text: string): string[] {
  try {
    return validate(schema, parse(text)).map(({ message }) => message)
  } catch (error) {
    if (error instanceof GraphQLError) return [error.message]
    throw error
  }
}

test('the possibleTypes of docs/CLIENTS.md are all types of each interface', () => {
  const listed = Object.fromEntries(
    [
      ...(read('docs/CLIENTS.md').split('possibleTypes: {')[1]?.split('},')[0] ?? '').matchAll(/(\w+): \[([^\]]+)\]/g),
    ].map(([, name = '', types = '']) => [name, [...types.matchAll(/'(\w+)'/g)].map(([, type = '']) => type)]),
  )
  const interfaces = Object.values(schema.getTypeMap()).filter(isInterfaceType)
  expect(listed).toEqual(
    Object.fromEntries(
      interfaces.map((type) => [
        type.name,
        schema
          .getPossibleTypes(type)
          .map(({ name }) => name)
          .toSorted(),
      ]),
    ),
  )
})

test('every JSON response in the docs parses', () => {
  const answers = blocks.filter(({ language }) => language === 'json').map(({ text }) => JSON.parse(text) as unknown)
  expect(answers.length).toBeGreaterThan(0)
})

test('the checks of the documents find documents, GraphQL blocks and paths, and report a wrong document', () => {
  expect(documents).toEqual(expect.arrayContaining(['README.md', 'docs/ARCHITECTURE.md', 'docs/adr/0001-ids.md']))
  expect(blocks.filter(({ language }) => language === 'graphql').length).toBeGreaterThan(2)
  expect(documents.flatMap(namedPaths).length).toBeGreaterThan(30)
  expect(problemsOf('{ nope }')).toHaveLength(1)
})

test('an ADR has at most 30 lines', () => {
  const records = documents.filter((file) => file.startsWith(join('docs', 'adr')))
  expect(records.filter((file) => read(file).trimEnd().split('\n').length > 30)).toEqual([])
})

/** The text that the file named in CONTRIBUTING.md must contain for the answer to be true. */
const EVIDENCE: Readonly<Record<string, Readonly<Record<string, RegExp>>>> = {
  'Where is the status of a job written?': {
    'src/jobs/lifecycle/apply-report.ts': /\.applyDecision\(current, decision/,
  },
  'Where is the close code of a WebSocket chosen?': {
    'src/graphql/realtime/web-socket-connection.ts': /this\.#close\(CloseCode\./,
  },
  'Where is a new GraphQL field added?': { 'src/graphql/schema/schema.ts': /import '\.\/types\// },
  'Where is a spent budget refused?': {
    'src/graphql/operation/prepare-operation.ts': /refuseWhenSpent\(/,
    'src/graphql/schema/limit-mutations.ts': /allowance\.isSpent/,
  },
  'What happens first on SIGTERM?': { 'src/app/app.ts': /return \[\s*\{ name: 'report not ready/ },
}

test('CONTRIBUTING.md answers frequent questions about the code, and each answer is true', () => {
  const rows = [...section('CONTRIBUTING.md', 'Where is …?').matchAll(/^\| ([^|]+\?) +\| ([^|]+) \|$/gm)]
  expect(rows.map(([, question]) => question?.trim())).toEqual(Object.keys(EVIDENCE))
  for (const [, question = '', answer = ''] of rows) {
    for (const [path, pattern] of Object.entries(EVIDENCE[question.trim()] ?? {})) {
      expect(answer).toContain(path)
      expect(read(path)).toMatch(pattern)
    }
  }
})
