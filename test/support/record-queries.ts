import type { Kysely, KyselyPlugin, RootOperationNode } from 'kysely'
import type { Tables } from '../../src/store/sql/tables.ts'

/** Wraps a database and records every query through it, in order. */
export function recordQueries(database: Kysely<Tables>): { db: Kysely<Tables>; nodes: readonly RootOperationNode[] } {
  const nodes: RootOperationNode[] = []
  const recorder: KyselyPlugin = {
    transformQuery: ({ node }) => {
      nodes.push(node)
      return node
    },
    transformResult: async ({ result }) => result,
  }
  return { db: database.withPlugin(recorder), nodes }
}
