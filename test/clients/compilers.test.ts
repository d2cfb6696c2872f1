/** The compilers that front ends run against a gateway, as they come from npm: each reads the schema from it. */
import { spawn } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { closeAfterTest } from '../support/close-after-test.ts'
import { makeDataDir, openTestApp } from '../support/test-app.ts'

const ON = { settings: { INTROSPECTION: 'on' } }

/** The executable for this machine; the package's own script starts it as a child that outlives the script. */
const relayCompiler = createRequire(import.meta.url)('relay-compiler') as string
const CODEGEN = resolve('node_modules/@graphql-codegen/cli/esm/bin.js')

/** Runs a program in a project. @throws if it fails, with all that it printed. */
async function run(project: string, program: string, ...args: string[]): Promise<void> {
  const child = spawn(program, args, { cwd: project, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = new Promise<number | null>((done) => {
    child.once('exit', done)
  })
  closeAfterTest(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  if (code !== 0) throw new Error(`${program} ended with ${code}:\n${out}${err}`)
}

async function openProject(files: Readonly<Record<string, string>>): Promise<string> {
  const project = await makeDataDir()
  await symlink(resolve('node_modules'), join(project, 'node_modules'))
  await mkdir(join(project, 'src', '__generated__'), { recursive: true })
  for (const [name, content] of Object.entries(files)) await writeFile(join(project, name), content)
  return project
}

/** A cold start of a compiler on a busy machine. */
const RUNS_LONG = { timeout: 90_000 }

const WATCH = `subscription AppWatchSubscription($id: ID!) { swapJobUpdated(id: $id) { id status done result { url } } }`

const SCHEMAS = ['/graphql', '/schema.graphql'] as const

test('graphql-codegen types a document against /graphql, and the same against /schema.graphql', RUNS_LONG, async () => {
  const { app } = await openTestApp(ON)
  const plugins = ['typescript-operations', 'typed-document-node']
  const project = await openProject({
    'package.json': '{"type":"module"}',
    'src/watch.graphql': WATCH,
    'codegen.json': JSON.stringify({
      documents: 'src/*.graphql',
      generates: Object.fromEntries(
        SCHEMAS.map((path, n) => [`src/__generated__/${n}.ts`, { schema: `${app.url}${path}`, plugins }]),
      ),
    }),
  })
  await run(project, process.execPath, CODEGEN, '--config', 'codegen.json')
  const [fromIntrospection, fromSdl] = await Promise.all(
    SCHEMAS.map(async (_path, n) => readFile(join(project, 'src', '__generated__', `${n}.ts`), 'utf8')),
  )
  expect(fromIntrospection).toContain('swapJobUpdated: { id: string, status: SwapJobStatus, done: boolean')
  expect(fromIntrospection).toBe(fromSdl)
})

test(
  'the Relay compiler compiles a query, a connection and a subscription against /schema.graphql',
  RUNS_LONG,
  async () => {
    const { app } = await openTestApp(ON)
    const schema = await (await fetch(`${app.url}/schema.graphql`)).text()
    const project = await openProject({
      'package.json': '{}',
      'schema.graphql': schema,
      'relay.config.json': JSON.stringify({
        src: './src',
        schema: './schema.graphql',
        language: 'typescript',
        eagerEsModules: true,
        artifactDirectory: './src/__generated__',
        customScalarTypes: { DateTime: 'string', URL: 'string' },
      }),
      'src/App.ts': `import { graphql } from 'relay-runtime'
      export const job = graphql\`query AppJobQuery($id: ID!) { swapJob(id: $id) { ...App_job } }\`
      export const fragment = graphql\`fragment App_job on SwapJob { id status result { url } }\`
      export const list = graphql\`fragment App_list on Query @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "String" })
        @refetchable(queryName: "AppListPaginationQuery") {
        swapJobs(first: $count, after: $cursor) @connection(key: "App_swapJobs") { edges { node { ...App_job } } } }\`
      export const create = graphql\`mutation AppCreateMutation($input: CreateSwapInput!) { createSwap(input: $input) {
        ... on CreateSwapSuccess { job { ...App_job } } ... on SwapIdempotencyConflictError { job { ...App_job } } ... on SwapError { code message } } }\`
      export const watch = graphql\`${WATCH}\`
    `,
    })
    await run(project, relayCompiler, '--noWatchman')
    const compiled = await readFile(join(project, 'src', '__generated__', 'AppJobQuery.graphql.ts'), 'utf8')
    const document = /"text": ("query AppJobQuery.*")/.exec(compiled)?.[1] ?? '""'
    const response = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: JSON.parse(document) as string, variables: { id: 'job_x' } }),
    })
    expect(await response.json()).toEqual({ data: { swapJob: null } })
  },
)
