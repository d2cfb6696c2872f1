/**
 * What comes in over a stream (WebSocket, SSE) made ready to run: parsed, validated, and given its context by the same
 * pipeline that answers plain HTTP, so that a rule is the same on every road.
 */
import { type ExecutionArgs, type ExecutionResult, getOperationAST, GraphQLError } from 'graphql'
import type { YogaServerInstance } from 'graphql-yoga'
import type { Viewer } from '../auth/viewer.ts'
import { type Context, createContext, type UseCases } from './context.ts'

/** A request for one operation, as a caller sends it. */
export interface OperationParams {
  readonly query: string
  readonly operationName?: string | null | undefined
  readonly variables?: Record<string, unknown> | null | undefined
}

/** One operation that may be run. */
export interface Operation {
  readonly type: 'query' | 'mutation' | 'subscription'
  readonly viewer: Viewer
  /** All of the arguments but the context, which each execution has for itself. */
  readonly args: Omit<ExecutionArgs, 'contextValue' | 'rootValue'>
  /** A context with caches of its own. */
  newContext(): Context
  /** Runs a query or a mutation. Errors are masked. */
  execute(): Promise<ExecutionResult>
}

/** What cannot be run, and why; nothing in it has to be hidden. */
export interface Unrunnable {
  readonly errors: readonly GraphQLError[]
}

export type PrepareOperation = (
  viewer: Viewer,
  params: OperationParams,
  idempotencyKey: string | null,
) => Promise<Operation | Unrunnable>

export function createPrepareOperation(
  yoga: Pick<YogaServerInstance<object, Context>, 'getEnveloped'>,
  useCases: UseCases,
  maskError: (error: unknown) => GraphQLError,
): PrepareOperation {
  return async (viewer, params, idempotencyKey) => {
    try {
      const enveloped = yoga.getEnveloped({ params, idempotencyKey })
      const document = enveloped.parse(params.query)
      const errors: readonly GraphQLError[] = enveloped.validate(enveloped.schema, document)
      if (errors.length > 0) return { errors: errors.map(maskError) }
      const { operationName = null, variables = null } = params
      const definition = getOperationAST(document, operationName)
      if (!definition) return { errors: [maskError(new GraphQLError(sayWhichOperation(operationName)))] }
      const args = { schema: enveloped.schema, document, operationName, variableValues: variables }
      return {
        type: definition.operation,
        viewer,
        args,
        newContext: createContextFactory(useCases, viewer, idempotencyKey),
        execute: async () => enveloped.execute({ ...args, contextValue: await enveloped.contextFactory() }),
      }
    } catch (error) {
      return { errors: [maskError(error)] }
    }
  }
}

/** Apart, so that a subscription that lives for hours holds on to nothing of how it was prepared. */
function createContextFactory(useCases: UseCases, viewer: Viewer, idempotencyKey: string | null): () => Context {
  return () => createContext(useCases, viewer, idempotencyKey)
}

function sayWhichOperation(name: string | null): string {
  return name === null ? 'Name the operation to run: `operationName`.' : 'The document has no operation of that name.'
}
