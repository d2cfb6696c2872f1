/**
 * What comes in over a stream (WebSocket, SSE) made ready to run: parsed, validated, and given its context by the same
 * pipeline that answers plain HTTP, so that a rule is the same on every road.
 */
import { type ExecutionArgs, type ExecutionResult, getOperationAST, GraphQLError } from 'graphql'
import type { YogaServerInstance } from 'graphql-yoga'
import { type Caller, refuseWhenSpent } from './caller.ts'
import type { Admitted } from '../http/graphql-handler.ts'
import { type Context, createContext, type UseCases } from '../schema/context.ts'
import { checkDocumentText } from './document-limits.ts'
import { withoutHttp, withoutHttpInErrors } from './errors.ts'
import type { OperationScheduler } from './operation-scheduler.ts'
import type { FindDocument } from './trusted-documents.ts'

/** A request for one operation, as a caller sends it: the text of its document, or a digest that names it. */
export interface OperationParams {
  readonly query: string | null
  /** Of a trusted document. */
  readonly documentId: string | null
  /** Of automatic persisted queries: `extensions.persistedQuery.sha256Hash`. */
  readonly persistedQueryHash: string | null
  readonly operationName: string | null
  readonly variables: Record<string, unknown> | null
}

/** One operation that may be run. */
export interface Operation {
  readonly type: 'query' | 'mutation' | 'subscription'
  readonly caller: Caller
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
  caller: Caller,
  params: OperationParams,
  idempotencyKey: string | null,
) => Promise<Operation | Unrunnable>

export interface PrepareParts {
  readonly yoga: Pick<YogaServerInstance<Admitted, Context>, 'getEnveloped'>
  readonly useCases: UseCases
  readonly findDocument: FindDocument
  readonly scheduler: OperationScheduler
  readonly maskError: (error: unknown) => GraphQLError
  /** Whether errors suggest no names. */
  readonly hideSuggestions: boolean
}

export function createPrepareOperation(parts: PrepareParts): PrepareOperation {
  const { yoga, useCases, findDocument, scheduler, hideSuggestions } = parts
  const maskError = (error: unknown) => withoutHttp(parts.maskError(error))
  return async (caller, params, idempotencyKey) => {
    try {
      const query = findDocument(params)
      checkDocumentText(query)
      await scheduler.begin(caller.viewer.tenant)
      const enveloped = yoga.getEnveloped({ params: { ...params, query }, caller, idempotencyKey })
      const document = enveloped.parse(query)
      const errors: readonly GraphQLError[] = enveloped.validate(enveloped.schema, document)
      if (errors.length > 0) return { errors: errors.map(maskError) }
      const { operationName, variables } = params
      const definition = getOperationAST(document, operationName)
      if (!definition) return { errors: [maskError(new GraphQLError(operationNameMessage(operationName)))] }
      const refusal = refuseWhenSpent(caller, definition.operation)
      if (refusal) return { errors: [maskError(refusal)] }
      await scheduler.take(caller, document, definition, variables ?? {})
      const { schema } = enveloped
      const args = { schema, document, operationName, variableValues: variables, hideSuggestions }
      return {
        type: definition.operation,
        caller,
        args,
        newContext: createContextFactory(useCases, caller, idempotencyKey, scheduler),
        execute: async () =>
          withoutHttpInErrors(await enveloped.execute({ ...args, contextValue: await enveloped.contextFactory() })),
      }
    } catch (error) {
      return { errors: [maskError(error)] }
    }
  }
}

/** Apart, so that a subscription that lives for hours holds on to nothing of how it was prepared. */
function createContextFactory(
  useCases: UseCases,
  caller: Caller,
  idempotencyKey: string | null,
  scheduler: OperationScheduler,
): () => Context {
  return () => createContext(useCases, caller, idempotencyKey, scheduler)
}

function operationNameMessage(name: string | null): string {
  return name === null ? 'Name the operation to run: `operationName`.' : 'The document has no operation of that name.'
}
