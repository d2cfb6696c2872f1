/**
 * What a document may cost, told from its text and its shape before it is validated or run: validation alone can take
 * seconds for one that was made for it. Everything is counted as the engine would meet it, fragments spread out and
 * fields of one name merged, and counting stops where a limit is reached.
 */
import {
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  OperationTypeNode,
  type SelectionSetNode,
} from 'graphql'

export const DOCUMENT_LIMITS = {
  tokens: 2_000,
  depth: 10,
  aliases: 100,
  queryRootFields: 100,
  mutationRootFields: 5,
  directives: 10,
  /** Fields in all, each time they are asked for. */
  fields: 5_000,
  /** Fields of one name in one place: each is compared with each. */
  repeats: 20,
} as const

/**
 * Introspection is exempt from the depth limit only: the standard query is 13 levels deep. MaxIntrospectionDepthRule of
 * graphql-js, one of its specified rules, bounds the lists nested in it.
 */
const INTROSPECTION_FIELDS: ReadonlySet<string> = new Set(['__schema', '__type'])
const UNLIMITED = Number.NEGATIVE_INFINITY

/**
 * Refuses a text of too many tokens without making tokens of it: as cheap for the longest as for one at the limit.
 * @throws {GraphQLError} that names the limit.
 */
export function checkDocumentText(text: string): void {
  let tokens = 0
  for (let at = skipIgnored(text, 0); at < text.length; at = skipIgnored(text, skipToken(text, at))) {
    tokens += 1
    expectAtMost('tokens', tokens, 'tokens')
  }
}

/** Blanks, line ends, commas, byte order marks and comments (GraphQL, 2.1.7). @returns where a token may begin. */
function skipIgnored(text: string, from: number): number {
  let at = from
  for (;;) {
    const code = text.charCodeAt(at)
    if (code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d || code === 0x2c || code === 0xfeff) at += 1
    else if (code === HASH) {
      const end = text.indexOf('\n', at)
      at = end === -1 ? text.length : end
    } else return at
  }
}

/** @returns where the token that begins at `from` has ended; one that is none has one character. */
function skipToken(text: string, from: number): number {
  if (text.charCodeAt(from) === QUOTE)
    return text.startsWith('"""', from) ? skipBlockString(text, from) : skipString(text, from)
  let at = from
  while (isWordCode(text.charCodeAt(at))) at += 1
  return Math.max(at, from + 1)
}

function skipString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) return at + 1
    if (code === BACKSLASH) at += 1
    else if (code === 0x0a || code === 0x0d) return at
  }
  return text.length
}

function skipBlockString(text: string, from: number): number {
  for (let end = text.indexOf('"""', from + 3); end !== -1; end = text.indexOf('"""', end + 3)) {
    if (text.charCodeAt(end - 1) !== BACKSLASH) return end + 3
  }
  return text.length
}

const HASH = 0x23
const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Of names and numbers. */
function isWordCode(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x30 && code <= 0x39) ||
    code === 0x5f ||
    code === 0x2d ||
    code === 0x2e ||
    code === 0x2b
  )
}

/** @throws {GraphQLError} that names the limit. */
export function checkDocument(document: DocumentNode): void {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition)
  }
  const count = createCount(fragments)
  for (const definition of document.definitions) {
    // Unused fragments too: validation looks at them as well.
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

  /** Puts the fields of a selection set to those of the same name; each fragment once. */
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

  /** @returns how many fields there are at this place. */
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
  const most = DOCUMENT_LIMITS[limit]
  if (count > most) {
    throw new GraphQLError(`The document has more than ${most} ${what}.`, {
      extensions: { code: 'DOCUMENT_TOO_LARGE' },
    })
  }
}
