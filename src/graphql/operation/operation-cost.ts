/**
 * Computes the maximum cost of an operation from its document and variables, before it runs. Four sums, each with its
 * own limit (`cost-limits.ts`):
 *
 * - weight: of the fields with a `@cost`, which read lists, count or sum over many jobs;
 * - nodes: jobs and uploads, however they are requested (aliases, `nodes`, `_entities`, lists, batches);
 * - values: every field of the response, multiplied by the sizes of the lists around it;
 * - introspection: the same, beneath `__schema` and `__type`.
 */
import {
  type DocumentNode,
  type FieldNode,
  getArgumentValues,
  getNamedType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  isAbstractType,
  isInterfaceType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
  Kind,
  type OperationDefinitionNode,
  SchemaMetaFieldDef,
  type SelectionSetNode,
  TypeMetaFieldDef,
  TypeNameMetaFieldDef,
} from 'graphql'
import { type CollectFields, createCollectFields } from './collect-fields.ts'
import { containsKind } from './contains-kind.ts'
import { type FieldArguments, type FieldCost, readFieldCost } from '../schema/field-cost.ts'

export interface OperationCost {
  readonly weight: number
  readonly nodes: number
  readonly values: number
  /** Values beneath `__schema` and `__type`. */
  readonly introspection: number
}

export interface CompiledCost {
  /** The cost, if it is the same for all variables. */
  readonly fixed: OperationCost | null
  /** @param variables coerced. */
  read(variables: FieldArguments): OperationCost
}

/** Assumed members of a list without a declared size; only lists of introspection have none. */
const DEFAULT_LIST_SIZE = 10
export const NOTHING: OperationCost = { weight: 0, nodes: 0, values: 0, introspection: 0 }

/** @param document valid for the schema. */
export function compileOperationCost(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): CompiledCost {
  const root = schema.getRootType(operation.operation)
  if (!root) return { fixed: NOTHING, read: () => NOTHING }
  const compiler = new CostCompiler(schema, createCollectFields(schema, document))
  const selection = compiler.compile(root, [operation.selectionSet])
  const read = (variables: FieldArguments) => {
    const sum = new Sum(variables)
    sum.addSelection(selection, { times: 1, isIntrospection: false, sizes: null })
    return sum.toCost()
  }
  return { fixed: compiler.dependsOnVariables() ? null : read({}), read }
}

/** The selected fields of a type: one alternative for each object type that a value may have. */
type Selection = readonly (readonly SelectedField[])[]

interface SelectedField {
  readonly name: string
  readonly cost: FieldCost
  readonly isList: boolean
  readonly isNode: boolean
  readonly isIntrospection: boolean
  readonly readArguments: (variables: FieldArguments) => FieldArguments
  readonly selection: Selection | null
}

class CostCompiler {
  readonly #schema: GraphQLSchema
  readonly #collect: CollectFields
  #dependsOnVariables = false

  constructor(schema: GraphQLSchema, collect: CollectFields) {
    this.#schema = schema
    this.#collect = collect
  }

  compile(type: GraphQLNamedType, selectionSets: readonly SelectionSetNode[]): Selection {
    const types = isAbstractType(type) ? this.#schema.getPossibleTypes(type) : isObjectType(type) ? [type] : []
    return types.map((one) =>
      [...this.#collect(one, selectionSets).values()].flatMap((nodes) => this.#compileField(one, nodes) ?? []),
    )
  }

  /** Whether a list size compiled so far depends on a variable. */
  dependsOnVariables(): boolean {
    return this.#dependsOnVariables
  }

  #compileField(parent: GraphQLObjectType, nodes: readonly FieldNode[]): SelectedField | null {
    const [node] = nodes
    const name = node?.name.value ?? ''
    const field = this.#findField(parent, name)
    if (!node || !field) return null
    const type = getNamedType(field.type)
    const cost = toFieldCost(this.#schema, field)
    const isSized = cost.sizeOf !== undefined || cost.listSize?.slicingArguments !== undefined
    if (isSized && (node.arguments ?? []).some((argument) => containsKind(argument, Kind.VARIABLE))) {
      this.#dependsOnVariables = true
    }
    const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? [])
    return {
      name,
      cost,
      isList: isListType(isNonNullType(field.type) ? field.type.ofType : field.type),
      isNode: isNodeType(this.#schema, type),
      isIntrospection: field === SchemaMetaFieldDef || field === TypeMetaFieldDef,
      readArguments: isSized ? createReadArguments(field, node) : () => NO_ARGUMENTS,
      selection: isLeafType(type) ? null : this.compile(type, sets),
    }
  }

  #findField(parent: GraphQLObjectType, name: string): GraphQLField<unknown, unknown> | undefined {
    if (parent === this.#schema.getQueryType()) {
      if (name === SchemaMetaFieldDef.name) return SchemaMetaFieldDef
      if (name === TypeMetaFieldDef.name) return TypeMetaFieldDef
    }
    return name === TypeNameMetaFieldDef.name ? TypeNameMetaFieldDef : parent.getFields()[name]
  }
}

const NO_ARGUMENTS: FieldArguments = {}

/** Invalid arguments count as none: the engine reports them, and does not call the resolver. */
function createReadArguments(field: GraphQLField<unknown, unknown>, node: FieldNode) {
  return (variables: FieldArguments): FieldArguments => {
    try {
      return getArgumentValues(field, node, variables)
    } catch {
      return NO_ARGUMENTS
    }
  }
}

/** The list of all types is the only list of introspection that is longer than the default. */
function toFieldCost(schema: GraphQLSchema, field: GraphQLField<unknown, unknown>): FieldCost {
  const isTypes = field.name === 'types' && getNamedType(field.type).name === '__Type'
  return isTypes ? { listSize: { assumedSize: Object.keys(schema.getTypeMap()).length } } : readFieldCost(field)
}

/** Whether every value of the type is a Relay node. */
function isNodeType(schema: GraphQLSchema, type: GraphQLNamedType): boolean {
  if (isObjectType(type)) return type.getInterfaces().some(({ name }) => name === 'Node')
  return (
    (isInterfaceType(type) && type.name === 'Node') ||
    (isUnionType(type) && schema.getPossibleTypes(type).every((one) => isNodeType(schema, one)))
  )
}

/** The context of a selection. */
interface Surroundings {
  /** How often it is evaluated. */
  readonly times: number
  readonly isIntrospection: boolean
  /** List sizes set by the parent field, by field name. */
  readonly sizes: Readonly<Record<string, number>> | null
}

class Sum {
  readonly #variables: FieldArguments
  #weight = 0
  #nodes = 0
  #values = 0
  #introspection = 0

  constructor(variables: FieldArguments) {
    this.#variables = variables
  }

  toCost(): OperationCost {
    return { weight: this.#weight, nodes: this.#nodes, values: this.#values, introspection: this.#introspection }
  }

  addSelection(selection: Selection, around: Surroundings): void {
    const [only] = selection
    if (selection.length <= 1) return this.#addFields(only ?? [], around)
    // A value has one of the types, so each sum counts the most expensive of them.
    const sums = selection.map((fields) => {
      const sum = new Sum(this.#variables)
      sum.#addFields(fields, around)
      return sum.toCost()
    })
    this.#weight += Math.max(...sums.map(({ weight }) => weight))
    this.#nodes += Math.max(...sums.map(({ nodes }) => nodes))
    this.#values += Math.max(...sums.map(({ values }) => values))
    this.#introspection += Math.max(...sums.map(({ introspection }) => introspection))
  }

  #addFields(fields: readonly SelectedField[], around: Surroundings): void {
    for (const field of fields) this.#addField(field, around)
  }

  #addField({ name, cost, isList, isNode, selection, ...field }: SelectedField, around: Surroundings): void {
    const { times } = around
    const isIntrospection = around.isIntrospection || field.isIntrospection
    const { sizedFields, weight = 0 } = cost
    const size = around.sizes?.[name] ?? toSize(cost, field.readArguments(this.#variables))
    const members = selection && isList ? times * size : times
    this.#weight += times * weight
    this.#nodes += countNodes(cost, isNode, times * size, members)
    if (isIntrospection) this.#introspection += members
    else this.#values += members
    if (!selection) return
    const sizes = sizedFields ? Object.fromEntries(sizedFields.map((one) => [one, size])) : null
    // The sizes apply to the direct fields of a connection, not to deeper fields of the same names.
    this.addSelection(selection, { times: members, isIntrospection, sizes })
  }
}

function countNodes({ nodes }: FieldCost, isNode: boolean, sized: number, members: number): number {
  if (nodes === 'size') return sized
  return (nodes ?? (isNode ? 1 : 0)) * members
}

function toSize({ sizeOf, listSize }: FieldCost, args: FieldArguments): number {
  const given = sizeOf?.(args) ?? readSlice(listSize?.slicingArguments ?? [], args)
  return given ?? listSize?.assumedSize ?? DEFAULT_LIST_SIZE
}

function readSlice(names: readonly string[], args: FieldArguments): number | null {
  const sizes = names.flatMap((name) => {
    const value = args[name]
    return typeof value === 'number' ? [Math.max(0, value)] : []
  })
  return sizes.length === 0 ? null : Math.max(...sizes)
}
