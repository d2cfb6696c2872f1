/** The compilers from npm that front ends use: each reads the schema from the gateway. */
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { atGateway, readRecipe } from '../support/client-recipes.ts'
import { openProject, RELAY_COMPILER, runInProject } from '../support/front-end-project.ts'
import { openTestApp } from '../support/test-app.ts'

const ON = { settings: { INTROSPECTION: 'on' } }

const CODEGEN = resolve('node_modules/@graphql-codegen/cli/esm/bin.js')

/** Long enough for a cold start of a compiler on a busy machine. */
const RUNS_LONG = { timeout: 90_000 }

const WATCH = `subscription AppWatchSubscription($id: ID!) { swapJobUpdated(id: $id) { id status done result { url } } }`

test('graphql-codegen types a document against /graphql, and the same against /schema.graphql', RUNS_LONG, async () => {
  const { app } = await openTestApp(ON)
  const config = atGateway(app, readRecipe('The schema for tools', 'ts')).replace(
    /export default (\w+)/,
    "$1.generates['src/from-sdl.ts'] = { ...$1.generates['src/generated.ts'], schema: $1.schema.replace(/graphql$/, 'schema.graphql') }\n$&",
  )
  const project = await openProject({
    'package.json': '{"type":"module"}',
    'src/watch.graphql': WATCH,
    'codegen.ts': config,
  })
  await runInProject(project, process.execPath, CODEGEN)
  const [fromIntrospection, fromSdl] = await Promise.all(
    ['generated.ts', 'from-sdl.ts'].map(async (name) => readFile(join(project, 'src', name), 'utf8')),
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
    await runInProject(project, RELAY_COMPILER, '--noWatchman')
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
