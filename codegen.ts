import type { CodegenConfig } from '@graphql-codegen/cli'

/** Generates types for the documents of `schema/operations`. `npm run codegen` runs it after printing the schema. */
const config: CodegenConfig = {
  schema: 'schema/schema.graphql',
  documents: 'schema/operations/*.graphql',
  generates: {
    'test/support/generated.ts': {
      plugins: ['typescript-operations', 'typed-document-node'],
      config: {
        documentMode: 'string',
        enumsAsTypes: true,
        useTypeImports: true,
        scalars: { DateTime: 'string', URL: 'string', ID: 'string' },
      },
    },
  },
}

export default config
