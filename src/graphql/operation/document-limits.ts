/**
 * Limits of a document, checked before it is validated: validation alone can take seconds for a hostile document.
 * Counts follow the engine: fragments are spread, fields of one response name are merged. Counting stops at the limit.
 */
import {
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  Lexer,
  OperationTypeNode,
  type ParseOptions,
  type SelectionSetNode,
  Source,
  TokenKind,
} from 'graphql'

export const DOCUMENT_LIMITS = {
  tokens: 2_000,
  depth: 10,
  aliases: 100,
  queryRootFields: 100,
  mutationRootFields: 5,
  directives: 10,
  /** All fields; a field counts each time it is requested. */
  fields: 5_000,
  /** Fields of one response name in one place, because validation compares every pair. */
  repeats: 20,
} as const

/**
 * Introspection is exempt from the depth limit only: the standard query is 13 levels deep. MaxIntrospectionDepthRule of
 * graphql-js, one of its specified rules, bounds the lists nested in it.
 */
const INTROSPECTION_FIELDS: ReadonlySet<string> = new Set(['__schema', '__type'])
const UNLIMITED = Number.NEGATIVE_INFINITY

/**
 * Whether the text has more tokens than the limit. Reading stops at the limit, or at the first invalid token.
 */
function hasTooManyTokens(text: string): boolean {
  const lexer = new Lexer(new Source(text))
  try {
    for (let tokens = 0; tokens <= DOCUMENT_LIMITS.tokens; tokens += 1) {
      if (lexer.advance().kind === TokenKind.EOF) return false
    }
    return true
  } catch (error) {
    if (error instanceof GraphQLError) return false
    throw error
  }
}

/**
 * Parses a document, and limits its number of tokens.
 * @param parse graphql-js's, or one with the same options and errors.
 * @throws {GraphQLError} code DOCUMENT_TOO_LARGE, or a syntax error.
 */
export function parseWithinLimits(
  parse: (source: string | Source, options?: ParseOptions) => DocumentNode,
  source: string | Source,
  options?: ParseOptions,
): DocumentNode {
  try {
    return parse(source, { ...options, maxTokens: DOCUMENT_LIMITS.tokens })
  } catch (error) {
    // The parser reports an exceeded limit as an ordinary syntax error.
    if (hasTooManyTokens(typeof source === 'string' ? source : source.body)) throw tooLarge('tokens', 'tokens')
    throw error
  }
}

/** @throws {GraphQLError} code DOCUMENT_TOO_LARGE, with a message that names the exceeded limit. */
export function checkDocument(document: DocumentNode): void {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition)
  }
  const count = createCount(fragments)
  for (const definition of document.definitions) {
    // Unused fragments count too, because validation visits them.
    if (definition.kind === Kind.FRAGMENT_DEFINITION) {
      count.countDirectives(definition.directives)
      const isIntrospection = definition.typeCondition.name.value.startsWith('__')
      count.visit([definition.selectionSet], isIntrospection ? UNLIMITED : 1)
    } else if (definition.kind === Kind.OPERATION_DEFINITION) {
      count.countDirectives(definition.directives)
      for (const { directives } of definition.variableDefinitions ?? []) count.countDirectives(directives)
      const rootFields = count.visit([definition.selectionSet], 1)
      const limit = definition.operation === OperationTypeNode.MUTATION ? 'mutationRootFields' : 'queryRootFields'
      expectAtMost(limit, rootFields, `root fields in a ${definition.operation}`)
    }
  }
}

function createCount(fragments: ReadonlyMap<string, FragmentDefinitionNode>) {
  let aliases = 0
  let directives = 0
  let fields = 0

  const countDirectives = (nodes: readonly DirectiveNode[] = []) => {
    directives += nodes.length
    expectAtMost('directives', directives, 'directives')
  }

  /** Adds the fields of a selection set to `byName`, by response name; each fragment is spread once. */
  const collect = (selectionSet: SelectionSetNode, byName: Map<string, FieldNode[]>, spread: Set<string>) => {
    for (const selection of selectionSet.selections) {
      countDirectives(selection.directives)
      if (selection.kind === Kind.FIELD) {
        fields += 1
        expectAtMost('fields', fields, 'fields')
        if (selection.alias) aliases += 1
        expectAtMost('aliases', aliases, 'aliases')
        const name = (selection.alias ?? selection.name).value
        const same = byName.get(name) ?? []
        byName.set(name, same)
        expectAtMost('repeats', same.push(selection), 'fields of one name in one place')
      } else if (selection.kind === Kind.INLINE_FRAGMENT) collect(selection.selectionSet, byName, spread)
      else if (!spread.has(selection.name.value)) {
        spread.add(selection.name.value)
        const fragment = fragments.get(selection.name.value)
        if (fragment) collect(fragment.selectionSet, byName, spread)
      }
    }
  }

  /** Counts merged selection sets, recursively. @returns the number of fields on this level. */
  const visit = (selectionSets: readonly SelectionSetNode[], depth: number): number => {
    const byName = new Map<string, FieldNode[]>()
    const spread = new Set<string>()
    for (const selectionSet of selectionSets) collect(selectionSet, byName, spread)
    if (byName.size > 0) expectAtMost('depth', depth, 'levels')
    for (const same of byName.values()) {
      const below = same.flatMap(({ selectionSet }) => selectionSet ?? [])
      const isIntrospection = INTROSPECTION_FIELDS.has(same[0]?.name.value ?? '')
      if (below.length > 0) visit(below, isIntrospection ? UNLIMITED : depth + 1)
    }
    return [...byName.values()].reduce((total, same) => total + same.length, 0)
  }

  return { visit, countDirectives }
}

function expectAtMost(limit: keyof typeof DOCUMENT_LIMITS, count: number, what: string): void {
  if (count > DOCUMENT_LIMITS[limit]) throw tooLarge(limit, what)
}

function tooLarge(limit: keyof typeof DOCUMENT_LIMITS, what: string): GraphQLError {
  return new GraphQLError(`The document has more than ${DOCUMENT_LIMITS[limit]} ${what}.`, {
    extensions: { code: 'DOCUMENT_TOO_LARGE' },
  })
}
