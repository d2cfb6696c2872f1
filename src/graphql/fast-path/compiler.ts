/**
 * Compiles selections into writers of JSON text. A writer throws or rejects if the value needs an entry in `errors`, or
 * does not match the schema.
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
  print,
  type SelectionSetNode,
} from 'graphql'
import { isDone, SWAP_JOB_STATUSES } from '../../domain/swap-job.ts'
import { createCollectFields } from '../operation/collect-fields.ts'
import { readCacheable } from '../schema/cacheable.ts'
import type { Context } from '../schema/context.ts'
import { compileArguments } from './inputs.ts'
import { UnsupportedOperationError } from './unsupported-operation-error.ts'

/** One run of a compiled operation. */
export interface Run {
  readonly context: Context
  readonly variables: Readonly<Record<string, unknown>>
  /** Number of finished jobs written so far. */
  doneJobs: number
}

type Text = string | Promise<string>
/** Writes a value that a resolver returned. */
export type Write = (value: unknown, run: Run) => Text

/** No resolver reads `info`. A resolver that did would throw, and graphql-js would run the operation. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const NO_INFO = null as unknown as GraphQLResolveInfo

interface CompiledObject {
  /** Texts by job object, if they depend on the job row alone; null if they do not. */
  readonly cache: WeakMap<object, string> | null
  readonly write: Write
}

function writeCached(object: CompiledObject, cache: WeakMap<object, string>, job: object, run: Run): Text {
  const known = cache.get(job)
  if (known !== undefined) return known
  const text = object.write(job, run)
  if (typeof text === 'string') cache.set(job, text)
  return text
}

/**
 * Compiles the selections of one document. The writers call the resolvers and the scalars of the schema itself, so the
 * meaning of a field is defined in one place.
 */
export class Compiler {
  readonly #schema: GraphQLSchema
  readonly #collect: ReturnType<typeof createCollectFields>
  /** By type and selection: the same selection under many aliases is compiled once. */
  readonly #objects = new Map<string, CompiledObject>()
  #isOfStore = true
  #isOfJobsAlone = true

  constructor(schema: GraphQLSchema, document: DocumentNode) {
    this.#schema = schema
    this.#collect = createCollectFields(schema, document)
  }

  /** Whether no field compiled so far is declared `never` cacheable. */
  get isOfStore(): boolean {
    return this.#isOfStore
  }

  /** Whether all jobs compiled so far are written from their row alone. */
  get isOfJobsAlone(): boolean {
    return this.#isOfJobsAlone
  }

  /** The fields of a selection, by response name. */
  collect(type: GraphQLObjectType, sets: readonly SelectionSetNode[]): ReadonlyMap<string, readonly FieldNode[]> {
    return this.#collect(type, sets)
  }

  compileObject(type: GraphQLObjectType, sets: readonly SelectionSetNode[]): Write {
    const key = `${type.name} ${sets.map(print).join()}`
    const isJob = type.name === 'SwapJob'
    const object = this.#objects.get(key) ?? {
      cache:
        isJob && namesOf(this.#collect(type, sets)).every((name) => isOfJobAlone(type, name))
          ? new WeakMap<object, string>()
          : null,
      write: this.#compileFields(type, sets),
    }
    this.#objects.set(key, object)
    if (isJob && !object.cache) this.#isOfJobsAlone = false
    return (value, run) => {
      const isOfDone = isJob && isDoneJob(value)
      if (isOfDone) run.doneJobs += 1
      // The links of a finished job expire with time.
      if (!isOfDone && object.cache && isObject(value)) return writeCached(object, object.cache, value, run)
      return object.write(value, run)
    }
  }

  #compileFields(type: GraphQLObjectType, sets: readonly SelectionSetNode[]): Write {
    const fields = this.#collect(type, sets)
    // A field that is requested under several aliases is resolved once.
    const asked = new Map([...fields.values()].map((nodes) => [writeWithoutAlias(nodes), nodes]))
    const order = [...asked.keys()]
    const writers = [...asked.values()].map((nodes) => this.#compileField(type, nodes))
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

  #compileField(type: GraphQLObjectType, nodes: readonly FieldNode[]): Write {
    const [node] = nodes
    const name = node?.name.value ?? ''
    if (name === '__typename') return () => JSON.stringify(type.name)
    const field = type.getFields()[name]
    if (!node || !field) throw new UnsupportedOperationError(`no field ${name}`)
    if (readCacheable(type, name) === 'never') this.#isOfStore = false
    const resolve = field.resolve ?? ((source: unknown) => readProperty(source, name))
    const argsOf = compileArguments(field, node)
    const write = this.#compileValue(
      field.type,
      nodes.flatMap(({ selectionSet }) => selectionSet ?? []),
    )
    const writeLate = async (value: Promise<unknown>, run: Run) => write(await value, run)
    return (source, run) => {
      const value: unknown = resolve(source, argsOf(run.variables), run.context, NO_INFO)
      return isPromise(value) ? writeLate(value, run) : write(value, run)
    }
  }

  #compileValue(type: GraphQLOutputType, sets: readonly SelectionSetNode[]): Write {
    if (isNonNullType(type)) {
      const write = this.#compileValue(type.ofType, sets)
      return (value, run) => {
        if (value === null || value === undefined) throw new UnsupportedOperationError('null for a non-null type')
        return write(value, run)
      }
    }
    const write = this.#compilePresent(type, sets)
    return (value, run) => {
      if (value === null || value === undefined) return 'null'
      if (value instanceof Error) throw value
      return write(value, run)
    }
  }

  #compilePresent(type: GraphQLOutputType, sets: readonly SelectionSetNode[]): Write {
    if (isListType(type)) {
      const write = this.#compileValue(type.ofType, sets)
      const writeLate = async (member: unknown, run: Run) => write(await member, run)
      return (value, run) => {
        if (!Array.isArray(value)) throw new UnsupportedOperationError('not an array')
        const writeMember = (member: unknown) => (isPromise(member) ? writeLate(member, run) : write(member, run))
        return writeAll(value, writeMember, assembleList)
      }
    }
    if (isLeafType(type)) return compileLeaf(type)
    if (isAbstractType(type)) return this.#compileAbstract(type, sets)
    if (!isObjectType(type)) throw new UnsupportedOperationError('no object')
    return this.compileObject(type, sets)
  }

  #compileAbstract(type: GraphQLAbstractType, sets: readonly SelectionSetNode[]): Write {
    const { resolveType } = type
    if (!resolveType) throw new UnsupportedOperationError(`${type.name} does not say which type a value has`)
    const writers = new Map(this.#schema.getPossibleTypes(type).map((one) => [one.name, this.compileObject(one, sets)]))
    return (value, run) => {
      const name = resolveType(value, run.context, NO_INFO, type)
      const write = typeof name === 'string' ? writers.get(name) : undefined
      if (!write) throw new UnsupportedOperationError(`${type.name} is of no known type`)
      return write(value, run)
    }
  }
}

export function namesOf(fields: ReadonlyMap<string, readonly FieldNode[]>): readonly string[] {
  return [...fields.values()].map(([node]) => node?.name.value ?? '')
}

/** Prints a requested field without its alias. */
export function writeWithoutAlias(nodes: readonly FieldNode[]): string {
  return nodes.map(({ alias: _alias, ...node }) => print(node)).join()
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
    // The other parts are no longer awaited, so their rejections must be handled here.
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

/** The default resolver of graphql-js, for plain values. */
function readProperty(source: unknown, name: string): unknown {
  const value: unknown = isObject(source) ? Reflect.get(source, name) : undefined
  if (typeof value === 'function') throw new UnsupportedOperationError('the value is a function')
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
