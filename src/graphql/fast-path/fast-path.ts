/**
 * Runs the most frequent operations without graphql-js: a few shapes of queries, and `createSwap`, as JSON over POST.
 *
 * - A cached response that is still valid is sent again for the same body of the same viewer (`response-cache.ts`).
 * - From its second request on, a valid document is compiled; it runs by calling the resolvers directly (`compile.ts`).
 *
 * Its responses equal the engine's. Anything unusual, errors above all, is left to the engine, which runs the operation
 * from the start, but does not create the same swap again. Removing this folder and the one call to it changes no
 * response, only the speed.
 */
import {
  type DocumentNode,
  getOperationAST,
  GraphQLError,
  type GraphQLSchema,
  type OperationDefinitionNode,
} from 'graphql'
import { LRUCache } from 'lru-cache'
import { GatewayError } from '../../domain/errors.ts'
import { isDone } from '../../domain/swap-job.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import type { Caller } from '../schema/caller.ts'
import type { OperationScheduler } from '../operation/operation-scheduler.ts'
import type { OperationParams } from '../operation/params.ts'
import type { FindDocument } from '../operation/trusted-documents.ts'
import { type Context, createContext, type UseCases } from '../schema/context.ts'
import { compile, type CompiledOperation, type Written } from './compile.ts'
import { type Answer, type Condition, createResponseCache } from './response-cache.ts'
import { UnsupportedOperationError } from './unsupported-operation-error.ts'

/** Maximum number of known documents, and characters of one. */
const MAX_DOCUMENTS = 1_000
const MAX_DOCUMENT_CHARS = 8_000
const MAX_BODY_BYTES = 16_384

export interface FastPathRequest {
  readonly caller: Caller
  readonly params: OperationParams
  /** The bytes that the parameters were read from; null for a GET. */
  readonly body: Buffer | null
  readonly idempotencyKey: string | null
  /** The content type of the response. */
  readonly type: string
}

export type FastPathOutcome =
  | { readonly kind: 'answered'; readonly answer: Answer }
  /** A mutation has started. The engine runs the operation with these use cases, which do not create a second swap. */
  | { readonly kind: 'begun'; readonly useCases: UseCases }

/** Why the engine has to run the operation. */
export type FallbackReason =
  /** A GET, a body above 16 KiB, or a caller whose requests are used up. */
  | 'request'
  /** The first request with this document. */
  | 'new'
  /** The document is invalid, too long, or of a shape that is not compiled. */
  | 'unsupported'
  /** The result has errors, or a value that only the engine can report. */
  | 'errors'
  /** A bug: reported to `onUnexpectedError`. */
  | 'bug'

export interface FastPath {
  /** Null if the engine has to run the operation. */
  tryAnswer(request: FastPathRequest): Promise<FastPathOutcome | null>
}

export interface FastPathParts {
  readonly schema: GraphQLSchema
  readonly useCases: UseCases
  readonly scheduler: OperationScheduler
  readonly findDocument: FindDocument
  /** The document of a text that parses and is valid, or null. Cheap for a text that the engine has run. */
  readonly findValidDocument: (text: string) => DocumentNode | null
  readonly telemetry: Pick<Telemetry, 'fastPathAnswered' | 'fastPathFellBack' | 'cacheRead'>
  readonly onUnexpectedError: (error: unknown, requestId: string) => void
}

/** A document that was requested at least twice; `document` is null if it is invalid. */
interface KnownDocument {
  readonly document: DocumentNode | null
  /** By operation; null for one that cannot be compiled. */
  readonly compiled: Map<OperationDefinitionNode, CompiledOperation | null>
}

type Found =
  | FallbackReason
  | {
      readonly compiled: CompiledOperation
      readonly document: DocumentNode
      readonly operation: OperationDefinitionNode
    }

export function createFastPath(parts: FastPathParts): FastPath {
  const { schema, useCases, scheduler, findDocument, findValidDocument, telemetry, onUnexpectedError } = parts
  /** By text; `new` after the first request. */
  const documents = new LRUCache<string, KnownDocument | 'new'>({ max: MAX_DOCUMENTS })
  const cache = createResponseCache(useCases)

  const findText = (params: OperationParams): string | null => {
    try {
      const text = findDocument(params)
      return text.length > MAX_DOCUMENT_CHARS ? null : text
    } catch (error) {
      if (error instanceof GraphQLError) return null
      throw error
    }
  }

  const findCompiled = ({ params }: FastPathRequest): Found => {
    const text = findText(params)
    if (text === null) return 'unsupported'
    const seen = documents.get(text)
    if (seen === undefined) {
      documents.set(text, 'new')
      return 'new'
    }
    const known = seen === 'new' ? { document: findValidDocument(text), compiled: new Map() } : seen
    documents.set(text, known)
    const { document } = known
    const operation = document && getOperationAST(document, params.operationName)
    if (!operation) return 'unsupported'
    const compiled = known.compiled.get(operation) ?? compile(schema, document, operation)
    known.compiled.set(operation, compiled)
    return compiled ? { compiled, document, operation } : 'unsupported'
  }

  const fallBack = (reason: FallbackReason): null => {
    telemetry.fastPathFellBack(reason)
    return null
  }

  const run = async (request: FastPathRequest, key: string): Promise<FastPathOutcome | null> => {
    const found = findCompiled(request)
    if (typeof found === 'string') return fallBack(found)
    const { compiled, document, operation } = found
    const variables = request.params.variables ?? {}
    const own = compiled.type === 'mutation' ? withoutRepeats(useCases) : useCases
    try {
      await scheduler.take(request.caller, document, operation, variables)
      const context = createContext(own, request.caller, request.idempotencyKey, scheduler)
      const version = useCases.jobsVersion(request.caller.viewer.tenant)
      const written = await compiled.run(context, variables)
      const answer = { status: 200, type: request.type, text: `{"data":${written.text}}`, operation: compiled }
      const condition = await findCondition(written, context, version)
      if (condition) cache.set(key, answer, condition)
      telemetry.fastPathAnswered('compiled')
      return { kind: 'answered', answer }
    } catch (error) {
      if (isExpected(error)) telemetry.fastPathFellBack('errors')
      else {
        telemetry.fastPathFellBack('bug')
        onUnexpectedError(error, request.caller.requestId)
      }
      return compiled.type === 'mutation' ? { kind: 'begun', useCases: own } : null
    }
  }

  return {
    tryAnswer: async (request) => {
      const { caller, body, type } = request
      if (body === null || body.byteLength > MAX_BODY_BYTES || caller.allowance.isSpent) return fallBack('request')
      const key = cache.keyOf(caller.viewer, body)
      const cached = await cache.get(caller.viewer, key, type)
      telemetry.cacheRead('response', cached ? 1 : 0, cached ? 0 : 1)
      if (!cached) return run(request, key)
      telemetry.fastPathAnswered('cache')
      return { kind: 'answered', answer: cached }
    },
  }
}

function isExpected(error: unknown): boolean {
  return error instanceof UnsupportedOperationError || error instanceof GraphQLError || error instanceof GatewayError
}

/**
 * Returns the condition for sending the response again; null if it must not be cached.
 * @param version of the tenant's jobs before they were read; null if the store cannot tell. Unchanged jobs may then be
 * different objects when they are read again.
 */
async function findCondition(
  { validity, ids }: Written,
  { loaders }: Context,
  version: string | null,
): Promise<Condition | null> {
  if (validity === 'now' || version === null) return null
  if (validity === 'while stored jobs are unchanged') return { kind: 'stored', version }
  const jobs = await Promise.all(ids.map(async (id) => loaders.job.load(id)))
  const areDone = jobs.every((job) => job !== null && isDone(job.status))
  return { kind: 'jobs', ids, jobs, doneAt: areDone ? version : null }
}

/** Use cases whose `createSwap` runs once; further calls return its first outcome. */
function withoutRepeats(useCases: UseCases): UseCases {
  let created: ReturnType<UseCases['createSwap']> | null = null
  return { ...useCases, createSwap: async (...args) => (created ??= useCases.createSwap(...args)) }
}
