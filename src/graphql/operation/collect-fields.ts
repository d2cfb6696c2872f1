import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  isAbstractType,
  Kind,
  type SelectionSetNode,
  typeFromAST,
} from 'graphql'

/** Collects the requested fields of an object of `type`, in order, by response name. */
export type CollectFields = (
  type: GraphQLObjectType,
  selectionSets: readonly SelectionSetNode[],
) => Map<string, FieldNode[]>

/**
 * Collects fields as the engine does (GraphQL, 6.3.2), but ignores `@skip` and `@include`: a field that they may
 * exclude is collected.
 */
export function createCollectFields(schema: GraphQLSchema, document: DocumentNode): CollectFields {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition)
  }
  return (type, selectionSets) => {
    const fields = new Map<string, FieldNode[]>()
    const spread = new Set<string>()
    const add = ({ selections }: SelectionSetNode) => {
      for (const selection of selections) {
        if (selection.kind === Kind.FIELD) {
          const key = selection.alias?.value ?? selection.name.value
          const nodes = fields.get(key)
          if (nodes) nodes.push(selection)
          else fields.set(key, [selection])
          continue
        }
        const name = selection.kind === Kind.FRAGMENT_SPREAD ? selection.name.value : null
        const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection
        if (!fragment || (name !== null && spread.has(name))) continue
        if (name !== null) spread.add(name)
        const condition = fragment.typeCondition ? typeFromAST(schema, fragment.typeCondition) : type
        if (condition === type || (isAbstractType(condition) && schema.isSubType(condition, type))) {
          add(fragment.selectionSet)
        }
      }
    }
    for (const set of selectionSets) add(set)
    return fields
  }
}
