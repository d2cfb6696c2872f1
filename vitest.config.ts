import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * The tests that take longest, the longest first: started last, one of them would run alone at the end. The faults mostly
 * wait, so what needs the most CPU comes next, and runs beside them.
 */
const LONGEST = [
  'test/faults/faults.test.ts',
  'packages/swapface/test/engine/',
  'test/images/',
  'test/http/images.test.ts',
  'test/e2e/',
  'test/browser/',
  'test/clients/',
  'test/graphql/webhooks.test.ts',
  'packages/swapface/test/',
  'test/config/damaged-database.test.ts',
  'test/conformance.test.ts',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // Not Array.prototype.sort: the sequencer's method returns a promise.
    // oxlint-disable-next-line unicorn/no-array-sort
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => rankOf(a) - rankOf(b))
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  const found = LONGEST.findIndex((path) => moduleId.includes(`/${path}`))
  return found === -1 ? LONGEST.length : found
}

/**
 * Long tests: the fast path compared with Yoga on generated documents, all odd images, all portraits redrawn, and the
 * alerts in a real Prometheus.
 */
const EXHAUSTIVE = [
  'test/graphql/fast-path/**/*.test.ts',
  'packages/swapface/test/engine/odd-images.test.ts',
  'packages/swapface/test/portraits.test.ts',
  'test/ops/prometheus.test.ts',
]
/** Tests of code that only PostgreSQL uses. */
const POSTGRES_ONLY = [
  'test/bus/postgres.test.ts',
  'test/e2e/start-on-postgres.test.ts',
  'test/e2e/traces-on-postgres.test.ts',
  'test/limits/shared-request-limiter.test.ts',
  'test/store/backup-postgres.test.ts',
  'test/store/sql/copy.test.ts',
  'test/store/postgres-wire.test.ts',
  'test/store/schema.test.ts',
  'test/store/postgres/rate-limiter.test.ts',
]
const ON_BOTH_DATABASES = [
  ...['clients', 'faults', 'graphql', 'http', 'jobs', 'races'].map((folder) => `test/${folder}/**/*.test.ts`),
  'test/app/metrics.test.ts',
  'test/store/job-store.test.ts',
  'test/store/jobs-version.test.ts',
  'test/store/sql/image-store.test.ts',
  'test/store/sql/job-figures.test.ts',
  'test/store/sql/record-jobs.test.ts',
  'test/store/sql/retention.test.ts',
  'test/store/sql/scan-plans.test.ts',
  'test/store/upgrade.test.ts',
]

export default defineConfig({
  resolve: {
    alias: [
      // Vite would resolve graphql's ESM build, while Pothos and Yoga get the CommonJS build from Node:
      // `instanceof GraphQLSchema` fails across two copies.
      { find: /^graphql$/, replacement: 'graphql/index.js' },
      {
        find: 'swapface-gateway-engine',
        replacement: new URL('packages/swapface/src/index.ts', import.meta.url).pathname,
      },
    ],
  },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'embedded',
          include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
          exclude: [...EXHAUSTIVE, ...POSTGRES_ONLY],
        },
      },
      { extends: true, test: { name: 'exhaustive', include: EXHAUSTIVE } },
      {
        extends: true,
        test: {
          name: 'postgres',
          include: [...ON_BOTH_DATABASES, ...POSTGRES_ONLY],
          // These test layers above the store.
          exclude: [
            ...EXHAUSTIVE,
            'test/graphql/introspection.test.ts',
            'test/graphql/request-errors.test.ts',
            'test/clients/compilers.test.ts',
            'test/clients/persisted-queries.test.ts',
            'test/clients/recipes.test.ts',
          ],
          env: { TEST_ENGINE: 'postgres' },
          globalSetup: ['test/support/build.ts', 'test/support/postgres-server.ts'],
        },
      },
    ],
    globalSetup: ['test/support/build.ts'],
    // Show failures in full: a rare one cannot be repeated.
    chaiConfig: { truncateThreshold: 0 },
    setupFiles: ['test/support/after-each.ts'],
    // Load the program once per worker: loading takes longer than most test files.
    isolate: false,
    pool: 'forks',
    // For a busy machine; on an idle one, no test takes ten seconds.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // One more than the cores of a small machine: many tests wait for a clock or for another process.
    maxWorkers: 3,
    maxConcurrency: 3,
    sequence: { sequencer: LongestFirst },
    // The code under test starts worker threads from TypeScript files.
    execArgv: ['--import', 'tsx'],
  },
})
