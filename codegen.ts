import type { CodegenConfig } from '@graphql-codegen/cli'

/** Types the documents of `schema/operations` against the printed schema. Run by `npm run codegen`, after the printing. */
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
