/**
 * Disables introspection, `_service` of federation, and suggestions of names in errors. `__typename` stays.
 */
import { type ASTVisitor, GraphQLError, validate, type ValidationContext } from 'graphql'
import type { Plugin } from 'graphql-yoga'

/** The fields of the query type that lead to the schema. */
const SCHEMA_FIELDS: ReadonlySet<string> = new Set(['__schema', '__type', '_service'])

export function useSchemaSecrecy(): Plugin {
  return {
    onValidate: ({ addValidationRule, setValidationFn }) => {
      addValidationRule(noIntrospectionRule)
      setValidationFn((schema, document, rules, options) =>
        validate(schema, document, rules, { ...options, hideSuggestions: true }),
      )
    },
    // Errors of variables are told as the operation begins.
    onExecute: ({ args }) => {
      Object.assign(args, { hideSuggestions: true })
    },
    onSubscribe: ({ args }) => {
      Object.assign(args, { hideSuggestions: true })
    },
  }
}

/** Reports once, however many fields ask: graphql's own rule has an error for each field of an introspection query. */
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
