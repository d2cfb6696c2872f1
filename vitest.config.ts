import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The faults take longest and mostly wait: begun first, they run beside everything else. */
class FaultsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // The sequencer's own, which returns a promise.
    // oxlint-disable-next-line unicorn/no-array-sort
    const sorted = await super.sort(files)
    return [...sorted.filter(isFaults), ...sorted.filter((file) => !isFaults(file))]
  }
}

function isFaults({ moduleId }: TestSpecification): boolean {
  return moduleId.includes('/test/faults/faults.test.ts')
}

const ON_BOTH_ENGINES = ['clients', 'faults', 'graphql', 'http', 'jobs', 'races'].map(
  (folder) => `test/${folder}/**/*.test.ts`,
)

export default defineConfig({
  resolve: {
    // Vite would resolve graphql's ESM build beside the CommonJS build that Node gives to Pothos and Yoga: two
    // copies, and `instanceof GraphQLSchema` fails across them.
    alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }],
  },
  test: {
    projects: [
      { extends: true, test: { name: 'embedded', include: ['test/**/*.test.ts'] } },
      // The same promises again, kept in PostgreSQL.
      {
        extends: true,
        test: {
          name: 'postgres',
          include: ON_BOTH_ENGINES,
          // What they compare is above the store.
          exclude: [
            'test/graphql/lanes/**',
            'test/graphql/introspection.test.ts',
            'test/graphql/request-errors.test.ts',
            'test/clients/compilers.test.ts',
            'test/clients/persisted-queries.test.ts',
            'test/clients/recipes.test.ts',
          ],
          env: { TEST_ENGINE: 'postgres' },
        },
      },
    ],
    globalSetup: ['test/support/build.ts', 'test/support/postgres-server.ts'],
    // What a test may take when the machine is busy; alone none takes ten seconds.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
    maxConcurrency: 3,
    sequence: { sequencer: FaultsFirst },
    // Worker threads that the code under test starts are TypeScript files too.
    execArgv: ['--import', 'tsx'],
  },
})
