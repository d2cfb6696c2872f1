/**
 * An operation made into functions that write its answer as JSON text, without a result object in between. They call the
 * resolvers and the scalars of the schema itself, so what a field means is said in one place; what they do not know they
 * leave to the engine: `compile` gives null for a document that is out of the ordinary, and a plan rejects where anything
 * is that an answer would have to speak of in `errors`.
 */
import {
  type DocumentNode,
  type FieldNode,
  type GraphQLAbstractType,
  type GraphQLLeafType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  print,
  type SelectionSetNode,
} from 'graphql'
import { isDone, SWAP_JOB_STATUSES } from '../../domain/swap-job.ts'
import { createCollectFields } from '../operation/collect-fields.ts'
import { containsKind } from '../operation/contains-kind.ts'
import { readCacheable } from '../schema/cacheable.ts'
import type { Context } from '../schema/context.ts'
import { compileArguments, compileVariables } from './inputs.ts'
import { UnsupportedOperationError } from './unsupported-operation-error.ts'

/** The answer of a plan. */
export interface Written {
  /** The value of `data`. */
  readonly text: string
  /** How long the same request has the same answer. */
  readonly validity: 'while stored jobs are unchanged' | 'while its jobs are unchanged' | 'now'
  /** The ids of its jobs, if the answer depends on nothing else. */
  readonly ids: readonly string[]
}

export interface CompiledOperation {
  readonly type: 'query' | 'mutation'
  /** Rejects where anything is out of the ordinary. */
  run(context: Context, variables: Readonly<Record<string, unknown>>): Promise<Written>
}

interface Run {
  readonly context: Context
  readonly variables: Readonly<Record<string, unknown>>
  /** Jobs written so far that will not change. */
  doneJobs: number
}

type Text = string | Promise<string>
/** Writes a value that a resolver gave. */
type Write = (value: unknown, run: Run) => Text

/** What is compiled: the other root fields are rare, and what they change is not to be done twice. */
const ROOT_FIELDS: ReadonlySet<string> = new Set(['swapJob', 'swapJobs', 'createSwap'])

/** No resolver of ours reads it; one that does fails here, and is left to the engine. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const NO_INFO = null as unknown as GraphQLResolveInfo

/** @param document valid for the schema. @returns null where the engine has to run it. */
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
    const compiler = createCompiler(schema, document)
    const fields = compiler.collect(root, [operation.selectionSet])
    const names = namesOf(fields)
    // One after the other, and no second one for an error to leave undone.
    if (!names.every((name) => ROOT_FIELDS.has(name)) || (type === OperationTypeNode.MUTATION && fields.size > 1))
      return null
    const write = compiler.compileObject(root, [operation.selectionSet])
    const asked = new Set([...fields.values()].map(writeWithoutAlias)).size
    const coerce = compileVariables(schema, operation)
    const isOfJobs = compiler.isOfStore() && names.every((name) => name === 'swapJob')
    const isOfLists = compiler.isOfStore() && names.every((name) => name === 'swapJobs')
    const findIds = isOfJobs ? compileIds(root, [...fields.values()]) : null
    const validityOf = ({ doneJobs }: Run): Written['validity'] => {
      // What else is stored of a finished job, such as its timeline, does not change any more.
      const dependsOnJobs = findIds && (compiler.isOfJobsAlone() || doneJobs === asked)
      return isOfLists ? 'while stored jobs are unchanged' : dependsOnJobs ? 'while its jobs are unchanged' : 'now'
    }
    return {
      type,
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

/** @returns what says which jobs are asked for, where nothing but their ids is given; null where there is more to it. */
function compileIds(root: GraphQLObjectType, fields: readonly (readonly FieldNode[])[]) {
  const field = root.getFields()['swapJob']
  const nodes = fields.flatMap(([node]) => node ?? [])
  if (!field || nodes.some((node) => node.arguments?.length !== 1)) return null
  const readers = nodes.map((node) => compileArguments(field, node))
  return (variables: Run['variables']) => [...new Set(readers.map((read) => String(read(variables)['id'])))]
}

interface CompiledObject {
  /** Of jobs that are as they were, for what depends on nothing else; null where it does. */
  readonly kept: WeakMap<object, string> | null
  readonly write: Write
}

function writeCached(object: CompiledObject, kept: WeakMap<object, string>, job: object, run: Run): Text {
  const known = kept.get(job)
  if (known !== undefined) return known
  const text = object.write(job, run)
  if (typeof text === 'string') kept.set(job, text)
  return text
}

function namesOf(fields: ReadonlyMap<string, readonly FieldNode[]>): readonly string[] {
  return [...fields.values()].map(([node]) => node?.name.value ?? '')
}

/** What one field of an answer asks for, by whatever name it has there. */
function writeWithoutAlias(nodes: readonly FieldNode[]): string {
  return nodes.map(({ alias: _alias, ...node }) => print(node)).join()
}

function createCompiler(schema: GraphQLSchema, document: DocumentNode) {
  const collect = createCollectFields(schema, document)
  let isOfStore = true
  let isOfJobsAlone = true
  const objects = new Map<string, CompiledObject>()

  /** One for all places that ask an object of a type for the same, as many aliases do. */
  const compileObject = (type: GraphQLObjectType, sets: readonly SelectionSetNode[]): Write => {
    const key = `${type.name} ${sets.map(print).join()}`
    const isJob = type.name === 'SwapJob'
    const object = objects.get(key) ?? {
      kept:
        isJob && namesOf(collect(type, sets)).every((name) => isOfJobAlone(type, name))
          ? new WeakMap<object, string>()
          : null,
      write: compileFields(type, sets),
    }
    objects.set(key, object)
    if (isJob && !object.kept) isOfJobsAlone = false
    return (value, run) => {
      const isOfDone = isJob && isDoneJob(value)
      if (isOfDone) run.doneJobs += 1
      // What a finished one has may end with time.
      if (!isOfDone && object.kept && isObject(value)) return writeCached(object, object.kept, value, run)
      return object.write(value, run)
    }
  }

  const compileFields = (type: GraphQLObjectType, sets: readonly SelectionSetNode[]): Write => {
    const fields = collect(type, sets)
    // What is asked for under several names is looked for once.
    const asked = new Map([...fields.values()].map((nodes) => [writeWithoutAlias(nodes), nodes]))
    const order = [...asked.keys()]
    const writers = [...asked.values()].map((nodes) => compileField(type, nodes))
    const members = [...fields].map(([key, nodes]) => ({
      prefix: `${JSON.stringify(key)}:`,
      at: order.indexOf(writeWithoutAlias(nodes)),
    }))
    const assemble = (texts: readonly string[]) => `{${members.map(({ prefix, at }) => prefix + texts[at]).join()}}`
    return (value, run) => {
      if (type.isTypeOf && type.isTypeOf(value, run.context, NO_INFO) !== true)
        throw new UnsupportedOperationError('another type')
      return writeAll(writers, (write) => write(value, run), assemble)
    }
  }

  const compileField = (type: GraphQLObjectType, nodes: readonly FieldNode[]): Write => {
    const [node] = nodes
    const name = node?.name.value ?? ''
    if (name === '__typename') return () => JSON.stringify(type.name)
    const field = type.getFields()[name]
    if (!node || !field) throw new UnsupportedOperationError(`no field ${name}`)
    if (readCacheable(type, name) === 'never') isOfStore = false
    const resolve = field.resolve ?? ((source: unknown) => readProperty(source, name))
    const argsOf = compileArguments(field, node)
    const write = compileValue(
      field.type,
      nodes.flatMap(({ selectionSet }) => selectionSet ?? []),
    )
    const writeLate = async (value: Promise<unknown>, run: Run) => write(await value, run)
    return (source, run) => {
      const value: unknown = resolve(source, argsOf(run.variables), run.context, NO_INFO)
      return isPromise(value) ? writeLate(value, run) : write(value, run)
    }
  }

  const compileValue = (type: GraphQLOutputType, sets: readonly SelectionSetNode[]): Write => {
    if (isNonNullType(type)) {
      const write = compileValue(type.ofType, sets)
      return (value, run) => {
        if (value === null || value === undefined) throw new UnsupportedOperationError('null where none may be')
        return write(value, run)
      }
    }
    const write = compilePresent(type, sets)
    return (value, run) => {
      if (value === null || value === undefined) return 'null'
      if (value instanceof Error) throw value
      return write(value, run)
    }
  }

  const compilePresent = (type: GraphQLOutputType, sets: readonly SelectionSetNode[]): Write => {
    if (isListType(type)) {
      const write = compileValue(type.ofType, sets)
      const writeLate = async (member: unknown, run: Run) => write(await member, run)
      return (value, run) => {
        if (!Array.isArray(value)) throw new UnsupportedOperationError('not an array')
        const writeMember = (member: unknown) => (isPromise(member) ? writeLate(member, run) : write(member, run))
        return writeAll(value, writeMember, assembleList)
      }
    }
    if (isLeafType(type)) return compileLeaf(type)
    if (isAbstractType(type)) return compileAbstract(type, sets)
    if (!isObjectType(type)) throw new UnsupportedOperationError('no object')
    return compileObject(type, sets)
  }

  const compileAbstract = (type: GraphQLAbstractType, sets: readonly SelectionSetNode[]): Write => {
    const { resolveType } = type
    if (!resolveType) throw new UnsupportedOperationError(`${type.name} does not say which type a value has`)
    const writers = new Map(schema.getPossibleTypes(type).map((one) => [one.name, compileObject(one, sets)]))
    return (value, run) => {
      const name = resolveType(value, run.context, NO_INFO, type)
      const write = typeof name === 'string' ? writers.get(name) : undefined
      if (!write) throw new UnsupportedOperationError(`${type.name} is of no known type`)
      return write(value, run)
    }
  }

  return { collect, compileObject, isOfStore: () => isOfStore, isOfJobsAlone: () => isOfJobsAlone }
}

function compileLeaf(type: GraphQLLeafType): Write {
  return (value) => {
    const text = JSON.stringify(type.serialize(value)) as string | undefined
    if (text === undefined || text === 'null') throw new UnsupportedOperationError(`no ${type.name}`)
    return text
  }
}

function assembleList(texts: readonly string[]): string {
  return `[${texts.join()}]`
}

type Assemble = (texts: readonly string[]) => string

function writeAll<T>(members: readonly T[], write: (member: T) => Text, assemble: Assemble): Text {
  const parts: Text[] = []
  const texts: string[] = []
  try {
    for (const member of members) {
      const part = write(member)
      if (typeof part === 'string') texts.push(part)
      parts.push(part)
    }
  } catch (error) {
    // Nobody waits for the others any more, and some may still reject.
    for (const part of parts) if (typeof part !== 'string') part.catch(() => null)
    throw error
  }
  return texts.length === parts.length ? assemble(texts) : assembleLate(parts, assemble)
}

async function assembleLate(parts: readonly Text[], assemble: Assemble): Promise<string> {
  const late = await Promise.all(parts.filter((part) => typeof part !== 'string'))
  let next = 0
  return assemble(parts.map((part) => (typeof part === 'string' ? part : (late[next++] ?? ''))))
}

/** What the engine's own resolver gives where there is none, for plain values. */
function readProperty(source: unknown, name: string): unknown {
  const value: unknown = isObject(source) ? Reflect.get(source, name) : undefined
  if (typeof value === 'function') throw new UnsupportedOperationError('a value that is to be called')
  return value
}

function isPromise(value: unknown): value is Promise<unknown> {
  return isObject(value) && 'then' in value && typeof value.then === 'function'
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function isOfJobAlone(type: GraphQLObjectType, field: string): boolean {
  return field === '__typename' || readCacheable(type, field) === 'job'
}

function isDoneJob(value: unknown): boolean {
  const status = isObject(value) && 'status' in value ? value.status : null
  return SWAP_JOB_STATUSES.some((one) => one === status && isDone(one))
}
