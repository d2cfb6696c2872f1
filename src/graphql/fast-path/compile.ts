/**
 * Compiles an operation into functions that write its result as JSON text, without building a result object. `compile`
 * returns null for a document that it does not support, and a compiled operation rejects if its result needs `errors`.
 * graphql-js then runs the operation.
 */
import {
  type DocumentNode,
  type FieldNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
} from 'graphql'
import { containsKind } from '../operation/contains-kind.ts'
import type { Context } from '../schema/context.ts'
import { Compiler, namesOf, type Run, writeWithoutAlias } from './compiler.ts'
import { compileArguments, compileVariables } from './inputs.ts'
import { UnsupportedOperationError } from './unsupported-operation-error.ts'

/** The result of a compiled operation. */
export interface Written {
  /** The value of `data`. */
  readonly text: string
  /** How long the result stays valid for the same request. */
  readonly validity: 'while stored jobs are unchanged' | 'while its jobs are unchanged' | 'now'
  /** The ids of its jobs, if the result depends on nothing else. */
  readonly ids: readonly string[]
}

export interface CompiledOperation {
  readonly type: 'query' | 'mutation'
  /** Null if it is anonymous. */
  readonly name: string | null
  /** Rejects if graphql-js has to run the operation instead. */
  run(context: Context, variables: Readonly<Record<string, unknown>>): Promise<Written>
}

/** The root fields that are compiled. Other fields are rare, and other mutations must not run twice. */
const ROOT_FIELDS: ReadonlySet<string> = new Set(['swapJob', 'swapJobs', 'createSwap'])

/** @param document valid for the schema. @returns null if graphql-js has to run it. */
export function compile(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): CompiledOperation | null {
  const type = operation.operation
  if (type === OperationTypeNode.SUBSCRIPTION || containsKind(document, Kind.DIRECTIVE)) return null
  const root = schema.getRootType(type)
  if (!root) return null
  try {
    const compiler = new Compiler(schema, document)
    const fields = compiler.collect(root, [operation.selectionSet])
    const names = namesOf(fields)
    // Several mutations run in series, and an error of the first must not prevent the second.
    if (!names.every((name) => ROOT_FIELDS.has(name)) || (type === OperationTypeNode.MUTATION && fields.size > 1))
      return null
    const write = compiler.compileObject(root, [operation.selectionSet])
    const requested = new Set([...fields.values()].map(writeWithoutAlias)).size
    const coerce = compileVariables(schema, operation)
    const isOfJobs = compiler.isOfStore && names.every((name) => name === 'swapJob')
    const isOfLists = compiler.isOfStore && names.every((name) => name === 'swapJobs')
    const findIds = isOfJobs ? compileIds(root, [...fields.values()]) : null
    const validityOf = ({ doneJobs }: Run): Written['validity'] => {
      // Other stored values of a finished job, such as its timeline, no longer change.
      const dependsOnJobs = findIds && (compiler.isOfJobsAlone || doneJobs === requested)
      return isOfLists ? 'while stored jobs are unchanged' : dependsOnJobs ? 'while its jobs are unchanged' : 'now'
    }
    return {
      type,
      name: operation.name?.value ?? null,
      run: async (context, given) => {
        const run: Run = { context, variables: coerce(given), doneJobs: 0 }
        const text = await write({}, run)
        return { text, validity: validityOf(run), ids: findIds?.(run.variables) ?? [] }
      },
    }
  } catch (error) {
    if (error instanceof UnsupportedOperationError) return null
    throw error
  }
}

/** @returns a function that reads the ids of the requested jobs; null if a field has other arguments than `id`. */
function compileIds(root: GraphQLObjectType, fields: readonly (readonly FieldNode[])[]) {
  const field = root.getFields()['swapJob']
  const nodes = fields.flatMap(([node]) => node ?? [])
  if (!field || nodes.some((node) => node.arguments?.length !== 1)) return null
  const readers = nodes.map((node) => compileArguments(field, node))
  return (variables: Run['variables']) => [...new Set(readers.map((read) => String(read(variables)['id'])))]
}
