/**
 * Coerces the variables and arguments of a compiled operation. Present scalars and enums are coerced here, with the
 * types' own functions. Missing, null, default and nested values are coerced by graphql-js.
 */
import {
  type ArgumentNode,
  type FieldNode,
  getArgumentValues,
  getVariableValues,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLLeafType,
  type GraphQLSchema,
  isLeafType,
  isNonNullType,
  Kind,
  type OperationDefinitionNode,
  typeFromAST,
} from 'graphql'
import { containsKind } from '../operation/contains-kind.ts'
import { UnsupportedOperationError } from './unsupported-operation-error.ts'

type Values = Readonly<Record<string, unknown>>

/** @returns a function that coerces the variables of a request; it throws if they are invalid. */
export function compileVariables(schema: GraphQLSchema, operation: OperationDefinitionNode): (given: Values) => Values {
  const definitions = operation.variableDefinitions ?? []
  const leaves = new Map<string, GraphQLLeafType>()
  for (const { type: node, variable } of definitions) {
    const type = typeFromAST(schema, node)
    const inner = isNonNullType(type) ? type.ofType : type
    const name = variable.name.value
    if (isLeafType(inner) && !name.startsWith('__')) leaves.set(name, inner)
  }
  const byEngine = (given: Values): Values => {
    const { coerced } = getVariableValues(schema, definitions, given)
    if (!coerced) throw new UnsupportedOperationError('the variables are invalid')
    return coerced
  }
  if (leaves.size < definitions.length) return byEngine
  return (given) => {
    const coerced: Record<string, unknown> = {}
    for (const [name, type] of leaves) {
      const value = Object.hasOwn(given, name) ? given[name] : null
      if (value === null || value === undefined) return byEngine(given)
      coerced[name] = type.parseValue(value)
    }
    return coerced
  }
}

/** @returns a function that returns the field's arguments for coerced variables. */
export function compileArguments(
  field: GraphQLField<unknown, unknown>,
  node: FieldNode,
): (variables: Values) => Values {
  const nodes = node.arguments ?? []
  const byEngine = (variables?: Values): Values => getArgumentValues(field, node, variables)
  if (!nodes.some((argument) => containsKind(argument, Kind.VARIABLE))) {
    try {
      const args = byEngine()
      return () => args
    } catch {
      throw new UnsupportedOperationError('the arguments are invalid')
    }
  }
  const plain = field.args.map((argument) => compileArgument(argument, nodes))
  return (variables) => {
    const args: Record<string, unknown> = {}
    for (const { name, variable, value } of plain) {
      if (variable === null) {
        if (value !== undefined) args[name] = value
        continue
      }
      const given = variable === '' ? undefined : variables[variable]
      if (given === undefined || given === null) return byEngine(variables)
      args[name] = given
    }
    return args
  }
}

/**
 * `variable` names the variable that is the argument. It is '' for any other value in the document, and null if `value`
 * applies.
 */
function compileArgument({ name, defaultValue }: GraphQLArgument, nodes: readonly ArgumentNode[]) {
  const value = nodes.find((node) => node.name.value === name)?.value
  if (!value) return { name, variable: null, value: defaultValue }
  return { name, variable: value.kind === Kind.VARIABLE ? value.name.value : '', value: undefined }
}
