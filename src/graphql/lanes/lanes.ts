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
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type DocumentNode, getOperationAST, type GraphQLSchema, type OperationDefinitionNode } from 'graphql'
import { LRUCache } from 'lru-cache'
import { toViewerKey, type Viewer } from '../../auth/viewer.ts'
import { createShortMemory } from '../../lib/short-memory.ts'
import type { Caller } from '../caller.ts'
import { createContext, type UseCases } from '../context.ts'
import { compile, type Plan } from './compile.ts'

/** Compiled documents, and how long one may be. */
const MAX_PLANS = 1_000
const MAX_DOCUMENT_CHARS = 8_000
const MAX_BODY_BYTES = 16_384
/** Answers that are kept: how many characters in all, with what was asked, and of one. */
const MAX_KEPT_CHARS = 16_000_000
const MAX_ANSWER_CHARS = 64_000
/** What another process has erased is given for at most this long; an address ends no sooner than hours after it was made. */
const KEPT_FOR_MS = 5_000
/** Spellings of `Accept`. */
const MAX_FORMATS = 20
const MAX_ACCEPT_CHARS = 100
/** The status of a request that cannot be run. */
export const REFUSED = 400

export interface LaneRequest {
  readonly caller: Caller
  readonly text: string
  readonly operationName: string | null
  readonly variables: Readonly<Record<string, unknown>>
  readonly idempotencyKey: string | null
  /** `Accept`, and the content type that goes with it. */
  readonly accept: string
  readonly type: string
  /** Where the answer is kept, should it last. */
  readonly key: string
}

export type LaneOutcome =
  | { readonly kind: 'answered'; readonly answer: Answer }
  /** Yoga has to answer, with these use cases: they do nothing twice that has been done. */
  | { readonly kind: 'begun'; readonly useCases: UseCases }

export interface Lanes {
  /** The content type that Yoga has answered such a request with; null where it has not yet, and for what is too long. */
  formatOf(request: IncomingMessage, body: Buffer): string | null
  /** Remembers it, of an answer that Yoga has just given. */
  noteFormat(request: IncomingMessage, response: ServerResponse): void
  /** What names a request among those whose answers are kept. */
  keyOf(viewer: Viewer, body: Buffer): string
  findKept(request: IncomingMessage, viewer: Viewer, key: string): Answer | null
  /** Keeps what Yoga has said of a request that cannot be run: to the same bytes it says the same. */
  keepRefusal(key: string, accept: string | null, answer: Answer): void
  /** Whether the document has been run: it is within the limits then. */
  isLearned(text: string): boolean
  /** Hears of each document that Yoga runs, and has found valid. */
  learn(document: DocumentNode): void
  /** Null where Yoga has to answer, from the beginning. */
  answer(request: LaneRequest): Promise<LaneOutcome | null>
  /** Images and links have been erased: what is kept may have them. */
  forget(): void
}

export interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

interface Kept {
  readonly answer: Answer
  /** The state of the tenant's jobs that it holds for; null: of any. */
  readonly state: string | null
  /** The spelling of `Accept` that it is for. */
  readonly accept: string
}

interface Learned {
  readonly document: DocumentNode
  /** Of each operation in it that was asked for; null where it cannot be compiled. */
  readonly plans: Map<OperationDefinitionNode, Plan | null>
}

export function createLanes(schema: GraphQLSchema, useCases: UseCases): Lanes {
  const learned = new LRUCache<string, Learned>({ max: MAX_PLANS })
  // Half of each: of what is kept, some is in its second half.
  const kept = createShortMemory<Kept>(
    KEPT_FOR_MS / 2,
    () => performance.now(),
    MAX_KEPT_CHARS / 2,
    (key, { answer }) => key.length + answer.text.length,
  )
  const formats = new LRUCache<string, string>({ max: MAX_FORMATS })
  const viewerKeys = new WeakMap<Viewer, string>()
  /** What was read before an erasure is not kept after it. */
  let erasures = 0

  const keep = (key: string, one: Kept) => {
    if (one.answer.text.length <= MAX_ANSWER_CHARS && one.accept.length <= MAX_ACCEPT_CHARS) kept.set(key, one)
  }

  const viewerKeyOf = (viewer: Viewer): string => {
    const known = viewerKeys.get(viewer)
    if (known !== undefined) return known
    const key = toViewerKey(viewer)
    viewerKeys.set(viewer, key)
    return key
  }

  const findPlan = (text: string, operationName: string | null): Plan | null => {
    const found = learned.get(text)
    const operation = found && getOperationAST(found.document, operationName)
    if (!operation) return null
    const known = found.plans.get(operation)
    const plan = known === undefined ? compile(schema, found.document, operation) : known
    found.plans.set(operation, plan)
    return plan
  }

  return {
    formatOf: ({ headers: { accept = '' } }, body) =>
      body.byteLength > MAX_BODY_BYTES ? null : (formats.get(accept) ?? null),
    noteFormat: ({ headers: { accept = '' } }, response) => {
      const type = response.getHeader('content-type')
      // What is answered as a stream says nothing of how an answer is.
      const isAnswer =
        (response.statusCode === 200 || response.statusCode === REFUSED) &&
        typeof type === 'string' &&
        type.startsWith('application/')
      if (isAnswer && accept.length <= MAX_ACCEPT_CHARS) formats.set(accept, type)
    },
    keyOf: (viewer, body) => viewerKeyOf(viewer) + body.toString('latin1'),
    findKept: ({ headers: { accept = '' } }, viewer, key) => {
      const found = kept.get(key)
      if (found?.accept !== accept) return null
      return found.state === null || found.state === useCases.nameState(viewer.tenant) ? found.answer : null
    },
    keepRefusal: (key, accept, answer) => keep(key, { answer, state: null, accept: accept ?? '' }),
    isLearned: (text) => learned.has(text),
    learn: (document) => {
      const text = document.loc?.source.body
      if (text === undefined || text.length > MAX_DOCUMENT_CHARS || learned.has(text)) return
      learned.set(text, { document, plans: new Map() })
    },
    answer: async (request) => {
      const plan = findPlan(request.text, request.operationName)
      if (!plan) return null
      const erasuresBefore = erasures
      const mine = plan.type === 'mutation' ? withoutRepeats(useCases) : useCases
      try {
        const context = createContext(mine, request.caller, request.idempotencyKey)
        const stateBefore = useCases.nameState(request.caller.viewer.tenant)
        const { text, holds } = await plan.run(context, request.variables)
        const answer = { status: 200, type: request.type, text: `{"data":${text}}` }
        const state = holds === 'always' ? null : stateBefore
        const isToBeKept = holds === 'always' || (holds === 'while stored so' && state !== null)
        if (isToBeKept && erasures === erasuresBefore) {
          keep(request.key, { answer: { ...answer, text: flatten(answer.text) }, state, accept: request.accept })
        }
        return { kind: 'answered', answer }
      } catch {
        // Whatever it was: Yoga meets it again, and knows what to say.
        return plan.type === 'mutation' ? { kind: 'begun', useCases: mine } : null
      }
    },
    forget: () => {
      erasures += 1
      kept.clear()
    },
  }
}

/** In one piece: a text that was put together is walked through piece by piece each time it is sent. */
function flatten(text: string): string {
  return Buffer.from(text).toString()
}

/** Use cases that start a swap once, however often they are asked within one request. */
function withoutRepeats(useCases: UseCases): UseCases {
  let created: ReturnType<UseCases['createSwap']> | null = null
  return { ...useCases, createSwap: async (...args) => (created ??= useCases.createSwap(...args)) }
}
