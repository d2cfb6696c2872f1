/** Limits the cost of an operation (`operation-cost.ts`), before it runs. */
import {
  type DocumentNode,
  getIntrospectionQuery,
  getVariableValues,
  GraphQLError,
  type GraphQLSchema,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  parse,
} from 'graphql'
import { readFieldCost } from '../schema/field-cost.ts'
import { type CompiledCost, compileOperationCost, NOTHING, type OperationCost } from './operation-cost.ts'

export const COST_LIMITS = {
  weight: 200,
  nodes: 200,
  values: 10_000,
} as const

/** Checks operations of one schema against the limits. */
export interface CostLimits {
  /**
   * @param variables not coerced. If they are invalid the cost is zero, because the operation does not run.
   * @returns the cost.
   * @throws {GraphQLError} with a message that says which limit is exceeded and what to change.
   */
  check(
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Readonly<Record<string, unknown>>,
  ): OperationCost
}

/** As a multiple of the cost of graphql-js's own introspection query with all its options. */
const INTROSPECTION_FACTOR = 2

export function createCostLimits(schema: GraphQLSchema): CostLimits {
  /** Documents are cached by the parser, so each is compiled once. */
  const compiled = new WeakMap<OperationDefinitionNode, CompiledCost>()
  const read = (document: DocumentNode, operation: OperationDefinitionNode): CompiledCost => {
    const known = compiled.get(operation) ?? compileOperationCost(schema, document, operation)
    compiled.set(operation, known)
    return known
  }
  const maxIntrospection = INTROSPECTION_FACTOR * costOfIntrospectionQuery(schema)
  const weightHint = describeWeight(schema)

  return {
    check: (document, operation, variables) => {
      const cost = readCost(schema, operation, variables, read(document, operation))
      expectAtMost('weight', cost.weight, COST_LIMITS.weight, weightHint)
      expectAtMost('nodes', cost.nodes, COST_LIMITS.nodes, NODES_HINT)
      expectAtMost('values', cost.values, COST_LIMITS.values, VALUES_HINT)
      expectAtMost('introspection', cost.introspection, maxIntrospection, INTROSPECTION_HINT)
      return cost
    },
  }
}

function readCost(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
  { fixed, read }: CompiledCost,
): OperationCost {
  if (fixed) return fixed
  const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], variables)
  return coerced ? read(coerced) : NOTHING
}

const NODES_HINT =
  'Every job or upload counts, whether it is asked for by an id, an alias, a list or a batch. Ask for smaller pages or fewer ids, or split the request.'
const VALUES_HINT =
  'Every field counts, once for each member of the lists around it. Select fewer fields, or ask for smaller pages.'
const INTROSPECTION_HINT = 'Ask for `__schema` once, without aliases.'

function describeWeight(schema: GraphQLSchema): string {
  return `${listWeighted(schema).join(', ')} cost what their @cost says. Ask for fewer of them, or split the request.`
}

function listWeighted(schema: GraphQLSchema): string[] {
  return Object.values(schema.getTypeMap()).flatMap((type) =>
    isObjectType(type)
      ? Object.values(type.getFields()).flatMap((field) =>
          readFieldCost(field).weight === undefined ? [] : [`\`${type.name}.${field.name}\``],
        )
      : [],
  )
}

function expectAtMost(what: keyof OperationCost, cost: number, limit: number, hint: string): void {
  if (cost <= limit) return
  const noun = { weight: 'units of cost', nodes: 'nodes', values: 'values', introspection: 'values of introspection' }[
    what
  ]
  throw new GraphQLError(`The operation asks for up to ${cost} ${noun}, and at most ${limit} are allowed. ${hint}`, {
    extensions: { code: 'COST_ESTIMATED_TOO_EXPENSIVE' },
  })
}

function costOfIntrospectionQuery(schema: GraphQLSchema): number {
  const document = parse(
    getIntrospectionQuery({
      descriptions: true,
      specifiedByUrl: true,
      directiveIsRepeatable: true,
      schemaDescription: true,
      inputValueDeprecation: true,
      oneOf: true,
    }),
  )
  const [operation] = document.definitions
  if (operation?.kind !== Kind.OPERATION_DEFINITION) throw new TypeError('the introspection query is not an operation')
  return compileOperationCost(schema, document, operation).read({}).introspection
}
