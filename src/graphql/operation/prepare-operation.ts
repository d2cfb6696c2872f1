/**
 * Prepares one operation, for every transport: finds its document, parses and validates it, refuses it if the caller's
 * requests are used up or its cost is too high, and waits for the tenant's slot.
 */
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  getOperationAST,
  GraphQLError,
  type GraphQLSchema,
} from 'graphql'
import { type Context, createContext, type UseCases } from '../schema/context.ts'
import { type Caller, refuseWhenSpent } from '../schema/caller.ts'
import type { OperationSpan } from '../../telemetry/tracing.ts'
import { type MaskError, traceErrors, withExtensions } from './errors.ts'
import type { OperationScheduler } from './operation-scheduler.ts'
import type { OperationParams } from './params.ts'
import type { OperationName } from './record-operation.ts'
import type { FindDocument } from './trusted-documents.ts'

/** One operation that is ready to run. */
export interface Operation extends OperationName {
  readonly caller: Caller
  /** The execution arguments without the context: each execution has its own. */
  readonly args: Omit<ExecutionArgs, 'contextValue' | 'rootValue'>
  /** Creates a context with its own caches. */
  newContext(): Context
  /** Runs a query or a mutation. Errors are masked. */
  execute(): Promise<ExecutionResult>
  /** Null if traces are off. */
  readonly span: OperationSpan | null
}

/** Why an operation cannot run: masked errors, which may carry the status of an HTTP response (`extensions.http`). */
export interface Unrunnable {
  readonly errors: readonly GraphQLError[]
}

/**
 * @param span of the operation, which gets its name and its errors; null if traces are off.
 * @param useCases override the default ones if the fast path has already started the mutation.
 */
export type PrepareOperation = (
  caller: Caller,
  params: OperationParams,
  idempotencyKey: string | null,
  span: OperationSpan | null,
  useCases?: UseCases,
) => Promise<Operation | Unrunnable>

/** Yoga without its HTTP layer: graphql-js with the plugins around it. */
export interface Engine {
  getEnveloped(initialContext: object): {
    readonly schema: GraphQLSchema
    readonly parse: (text: string) => DocumentNode
    readonly validate: (schema: GraphQLSchema, document: DocumentNode) => readonly GraphQLError[]
    readonly execute: (args: ExecutionArgs) => Promise<ExecutionResult>
  }
}

export interface PrepareParts {
  readonly engine: Engine
  readonly useCases: UseCases
  readonly findDocument: FindDocument
  /** Whether the parsed document of the text is cached. */
  readonly isCached: (text: string) => boolean
  readonly scheduler: OperationScheduler
  readonly maskError: MaskError
  /** Whether errors omit suggestions of names. */
  readonly hideSuggestions: boolean
}

export function createPrepareOperation(parts: PrepareParts): PrepareOperation {
  const { engine, findDocument, isCached, scheduler, maskError, hideSuggestions } = parts
  const refuseInvalid = createRefuseInvalid(maskError)
  const prepare: PrepareOperation = async (caller, params, idempotencyKey, span, useCases = parts.useCases) => {
    try {
      const text = findDocument(params)
      if (!isCached(text)) await scheduler.begin(caller.viewer.tenant)
      const { parse, validate, execute, schema } = engine.getEnveloped({})
      const document = parseText(parse, text)
      const { operationName, variables } = params
      const definition = getOperationAST(document, operationName)
      if (!definition) return { errors: [noSuchOperation(operationName)] }
      span?.identified({ type: definition.operation, name: definition.name?.value ?? null })
      const invalid = refuseInvalid(validate(schema, document))
      if (invalid) return invalid
      const refusal = refuseWhenSpent(caller, definition.operation)
      if (refusal) return { errors: [refusal] }
      await scheduler.take(caller, document, definition, variables ?? {})
      const args = { schema, document, operationName, variableValues: variables, hideSuggestions }
      const newContext = createContextFactory(useCases, caller, idempotencyKey, scheduler)
      return {
        type: definition.operation,
        name: definition.name?.value ?? null,
        caller,
        args,
        newContext,
        execute: async () => {
          const result = await execute({ ...args, contextValue: newContext() })
          traceErrors(span, result)
          if (!result.errors) return result
          return { ...result, errors: result.errors.map((error) => maskError(error, caller.requestId)) }
        },
        span,
      }
    } catch (error) {
      return { errors: [maskError(error, caller.requestId)] }
    }
  }
  return async (caller, params, idempotencyKey, span, useCases) => {
    const operation = await prepare(caller, params, idempotencyKey, span, useCases)
    if ('errors' in operation) traceErrors(span, operation)
    return operation
  }
}

/** Masks the errors of an invalid document once: validation is cached, and each masked error costs a stack trace. */
function createRefuseInvalid(maskError: MaskError) {
  const refusals = new WeakMap<readonly GraphQLError[], Unrunnable>()
  return (errors: readonly GraphQLError[]): Unrunnable | null => {
    if (errors.length === 0) return null
    const refusal = refusals.get(errors) ?? { errors: errors.map((error) => maskError(error, null)) }
    refusals.set(errors, refusal)
    return refusal
  }
}

/**
 * Returns the document of a text, or null if it does not parse or is invalid. Cheap for a short text that was prepared
 * before, because the engine caches it.
 */
export function findValidDocument({ getEnveloped }: Engine, text: string): DocumentNode | null {
  const { parse, validate, schema } = getEnveloped({})
  try {
    const document = parse(text)
    return validate(schema, document).length === 0 ? document : null
  } catch (error) {
    if (error instanceof GraphQLError) return null
    throw error
  }
}

function parseText(parse: (text: string) => DocumentNode, text: string): DocumentNode {
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof GraphQLError) || error.extensions['code'] !== undefined) throw error
    throw withExtensions(error, { code: 'GRAPHQL_PARSE_FAILED' })
  }
}

/** A separate function, so that a long subscription does not retain the closure in which it was prepared. */
function createContextFactory(
  useCases: UseCases,
  caller: Caller,
  idempotencyKey: string | null,
  scheduler: OperationScheduler,
): () => Context {
  return () => createContext(useCases, caller, idempotencyKey, scheduler)
}

function noSuchOperation(name: string | null): GraphQLError {
  const message =
    name === null ? 'Name the operation to run: `operationName`.' : 'The document has no operation of that name.'
  return new GraphQLError(message, { extensions: { code: 'OPERATION_RESOLUTION_FAILURE' } })
}
