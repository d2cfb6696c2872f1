import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: {
    // Vite would resolve graphql's ESM build beside the CommonJS build that Node gives to Pothos and Yoga: two
    // copies, and `instanceof GraphQLSchema` fails across them.
    alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }],
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/build.ts'],
    testTimeout: 10_000,
    hookTimeout: 30_000,
    // Worker threads that the code under test starts are TypeScript files too.
    execArgv: ['--import', 'tsx'],
  },
})
