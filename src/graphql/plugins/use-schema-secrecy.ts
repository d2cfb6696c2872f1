/**
 * Disables introspection, `_service` of federation, and suggestions of names in errors. `__typename` stays.
 */
import {
  type ASTVisitor,
  type ExecutionArgs,
  getOperationAST,
  getVariableValues,
  GraphQLError,
  type ValidationContext,
} from 'graphql'
import type { Plugin } from 'graphql-yoga'

/** The fields of the query type that expose the schema. */
const SCHEMA_FIELDS: ReadonlySet<string> = new Set(['__schema', '__type', '_service'])

/** The engine's own limit. */
const MAX_VARIABLE_ERRORS = 50

export function useSchemaSecrecy(): Plugin {
  return {
    onValidate: ({ addValidationRule, validateFn, setValidationFn }) => {
      addValidationRule(noIntrospectionRule)
      setValidationFn((schema, document, rules, options) =>
        validateFn(schema, document, rules, { ...options, hideSuggestions: true }),
      )
    },
    // Yoga's engine suggests names in errors of variables, so variables are checked before it runs.
    onExecute: ({ args, setResultAndStopExecution }) => {
      const errors = findVariableErrors(args)
      if (errors.length > 0) setResultAndStopExecution({ errors })
    },
  }
}

function findVariableErrors({
  schema,
  document,
  operationName,
  variableValues,
}: ExecutionArgs): readonly GraphQLError[] {
  const { variableDefinitions = [] } = getOperationAST(document, operationName) ?? {}
  const options = { maxErrors: MAX_VARIABLE_ERRORS, hideSuggestions: true }
  return getVariableValues(schema, variableDefinitions, variableValues ?? {}, options).errors ?? []
}

/** Reports one error per document; graphql-js's own rule reports each field of an introspection query. */
function noIntrospectionRule(context: ValidationContext): ASTVisitor {
  const query = context.getSchema().getQueryType()
  let isReported = false
  return {
    Field: (node) => {
      if (isReported || !SCHEMA_FIELDS.has(node.name.value) || context.getParentType() !== query) return
      isReported = true
      const message = 'Introspection is disabled. Set INTROSPECTION=on to enable it.'
      context.reportError(new GraphQLError(message, { nodes: node }))
    },
  }
}
