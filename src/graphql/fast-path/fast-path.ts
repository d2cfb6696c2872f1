/**
 * The fast road for what is asked most: a few shapes of queries, and `createSwap`, as JSON over POST. Two lanes:
 *
 * - answers that have not changed are kept as text, and given again to who may see the same and sends the same bytes;
 * - documents that Yoga has run once are compiled, and run without it from then on.
 *
 * The rule: a lane answers exactly what Yoga would, or not at all. Whatever is out of the ordinary, errors above all, is
 * left to Yoga, which asks again; only what a mutation has done is not done twice. Without the lanes every answer is the
 * same, and slower.
 */
import { type DocumentNode, getOperationAST, type GraphQLSchema, type OperationDefinitionNode } from 'graphql'
import { LRUCache } from 'lru-cache'
import type { Viewer } from '../../auth/viewer.ts'
import type { Caller } from '../operation/caller.ts'
import { type Context, createContext, type UseCases } from '../schema/context.ts'
import type { OperationScheduler } from '../operation/operation-scheduler.ts'
import { compile, type CompiledOperation, type Written } from './compile.ts'
import { type Answer, type Condition, createResponseCache } from './response-cache.ts'

/** Compiled documents, and how long one may be. */
const MAX_COMPILED = 1_000
const MAX_DOCUMENT_CHARS = 8_000
const MAX_BODY_BYTES = 16_384

export interface FastPathRequest {
  readonly caller: Caller
  readonly text: string
  readonly operationName: string | null
  readonly variables: Readonly<Record<string, unknown>>
  readonly idempotencyKey: string | null
  /** The content type of the answer. */
  readonly type: string
  /** Where the answer is kept, should it last. */
  readonly key: string
}

export type FastPathOutcome =
  | { readonly kind: 'answered'; readonly answer: Answer }
  /** Yoga has to answer, with these use cases: they do nothing twice that has been done. */
  | { readonly kind: 'begun'; readonly useCases: UseCases }

export interface FastPath {
  /** False for a body that is too long to be worth keeping. */
  takes(body: Buffer): boolean
  /** What names a request among those whose answers are kept. */
  keyOf(viewer: Viewer, body: Buffer): string
  /** What was answered to the same request, where it would be answered the same now. */
  recall(viewer: Viewer, key: string, type: string): Promise<Answer | null>
  /** Keeps what Yoga has said of a request that cannot be run: to the same bytes it says the same. */
  cacheRefusal(key: string, answer: Answer): void
  /** Whether the document has been run: it is within the limits then. */
  isLearned(text: string): boolean
  /** Hears of each document that Yoga runs, and has found valid. */
  learn(document: DocumentNode): void
  /** Null where Yoga has to answer, from the beginning. */
  answer(request: FastPathRequest): Promise<FastPathOutcome | null>
  /** Images and links have been erased: what is kept may have them. */
  forget(): void
}

interface Learned {
  readonly document: DocumentNode
  /** Of each operation in it that was asked for; null where it cannot be compiled. */
  readonly compiled: Map<OperationDefinitionNode, CompiledOperation | null>
}

export function createFastPath(schema: GraphQLSchema, useCases: UseCases, scheduler: OperationScheduler): FastPath {
  const learned = new LRUCache<string, Learned>({ max: MAX_COMPILED })
  const cache = createResponseCache(useCases)
  /** What was read before an erasure is not kept after it. */
  let erasures = 0

  const findCompiled = (text: string, operationName: string | null) => {
    const found = learned.get(text)
    const operation = found && getOperationAST(found.document, operationName)
    if (!operation) return null
    const known = found.compiled.get(operation)
    const compiled = known === undefined ? compile(schema, found.document, operation) : known
    found.compiled.set(operation, compiled)
    return compiled && { compiled, document: found.document, operation }
  }

  return {
    takes: (body) => body.byteLength <= MAX_BODY_BYTES,
    keyOf: cache.keyOf,
    recall: cache.recall,
    cacheRefusal: (key, answer) => cache.keep(key, answer, { kind: 'always' }),
    isLearned: (text) => learned.has(text),
    learn: (document) => {
      const text = document.loc?.source.body
      if (text === undefined || text.length > MAX_DOCUMENT_CHARS || learned.has(text)) return
      learned.set(text, { document, compiled: new Map() })
    },
    answer: async (request) => {
      const found = findCompiled(request.text, request.operationName)
      if (!found) return null
      const { compiled, document, operation } = found
      const erasuresBefore = erasures
      const mine = compiled.type === 'mutation' ? withoutRepeats(useCases) : useCases
      try {
        await scheduler.take(request.caller, document, operation, request.variables)
        const context = createContext(mine, request.caller, request.idempotencyKey, scheduler)
        const state = useCases.jobsVersion(request.caller.viewer.tenant)
        const written = await compiled.run(context, request.variables)
        const answer = { status: 200, type: request.type, text: `{"data":${written.text}}` }
        const condition = await findCondition(written, context, state)
        if (condition && erasures === erasuresBefore) cache.keep(request.key, answer, condition)
        return { kind: 'answered', answer }
      } catch {
        // Whatever it was: Yoga meets it again, and knows what to say.
        return compiled.type === 'mutation' ? { kind: 'begun', useCases: mine } : null
      }
    },
    forget: () => {
      erasures += 1
      cache.clear()
    },
  }
}

/**
 * As long as what the answer may be given again; null: not at all.
 * @param state of the tenant's jobs before they were read; null where it has no name, nor do jobs last that are read.
 */
async function findCondition(
  { holds, ids }: Written,
  { loaders }: Context,
  state: string | null,
): Promise<Condition | null> {
  if (holds === 'always') return { kind: 'always' }
  if (holds === 'now' || state === null) return null
  if (holds === 'while stored so') return { kind: 'stored', state }
  return { kind: 'jobs', ids, jobs: await Promise.all(ids.map(async (id) => loaders.job.load(id))) }
}

/** Use cases that start a swap once, however often they are asked within one request. */
function withoutRepeats(useCases: UseCases): UseCases {
  let created: ReturnType<UseCases['createSwap']> | null = null
  return { ...useCases, createSwap: async (...args) => (created ??= useCases.createSwap(...args)) }
}
