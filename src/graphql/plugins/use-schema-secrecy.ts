/**
 * For a gateway whose schema is not to be asked for: no introspection, no `_service` of federation, and no names
 * suggested in errors. `__typename` stays.
 */
import {
  type ASTVisitor,
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  validate,
  type ValidationContext,
} from 'graphql'
import type { Plugin } from 'graphql-yoga'

export function useSchemaSecrecy(): Plugin {
  return {
    onValidate: ({ addValidationRule, setValidationFn }) => {
      addValidationRule(NoSchemaIntrospectionCustomRule)
      addValidationRule(noServiceRule)
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

function noServiceRule(context: ValidationContext): ASTVisitor {
  return {
    Field: (node) => {
      if (node.name.value !== '_service' || context.getParentType()?.name !== 'Query') return
      context.reportError(new GraphQLError('The schema of this gateway is not to be asked for.', { nodes: node }))
    },
  }
}
