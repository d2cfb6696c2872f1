/** Generates random documents over the schema, most of them valid, and with the mistakes that clients make. */
import {
  getNamedType,
  getNullableType,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isLeafType,
  isObjectType,
} from 'graphql'

/** The body of a request. */
export interface Asked {
  readonly query: string
  readonly variables?: Record<string, unknown>
  readonly operationName?: string | null
}

/** In [0, 1). */
export type Random = () => number

/** Creates a Mulberry32 generator: the same seed creates the same documents. */
export function createRandom(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Fields whose values depend on the current time or load, not only on stored data. */
const MOVING: ReadonlySet<string> = new Set(['swapService', 'swapUsage', '_entities', '_service', 'progress'])
const MAX_DEPTH = 4

export function makeAsked(schema: GraphQLSchema, ids: readonly string[], random: Random): Asked {
  const query = schema.getQueryType()
  if (!query) throw new TypeError('there is a query type')
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T
  const chance = (share: number) => random() < share
  const fragments: string[] = []
  const variables: Record<string, unknown> = {}
  const definitions: string[] = []
  let aliases = 0

  const variable = (type: string, value: unknown, fallback?: string) => {
    const name = `v${definitions.length}`
    definitions.push(`$${name}: ${type}${fallback === undefined ? '' : ` = ${fallback}`}`)
    if (fallback === undefined || chance(0.5)) variables[name] = value
    return `$${name}`
  }

  const writeArguments = (field: GraphQLField<unknown, unknown>, depth: number): string => {
    const id = pick(ids)
    const text = JSON.stringify(id)
    if (field.name === 'swapJob') {
      const wait = chance(0.1) ? `, waitMs: ${pick(['0', '-1', '99999', '1.5', '"0"', variable('Int', 0, '0')])}` : ''
      if (chance(0.02)) return wait === '' ? '' : `(${wait.slice(2)})`
      return `(id: ${chance(0.5) ? variable('ID!', chance(0.05) ? pick([1, null, [], {}]) : id) : text}${wait})`
    }
    if (field.name === 'node') return `(id: ${text})`
    if (field.name === 'nodes') return `(ids: [${text}, ${JSON.stringify(pick(ids))}])`
    if (field.name === 'swapJobs') {
      const parts = [
        ...(chance(0.6) ? [`first: ${pick(['1', '2', '20', '0', '101', variable('Int', 2)])}`] : []),
        ...(chance(0.2) ? ['last: 1'] : []),
        ...(chance(0.3)
          ? [`filter: { ${pick(['done: true', 'statuses: [SUCCESS]', 'tags: ["a"]', 'ids: []'])} }`]
          : []),
        ...(chance(0.05) ? ['after: "nonsense"'] : []),
      ]
      return parts.length === 0 ? '' : `(${parts.join(', ')})`
    }
    if (field.name === 'url' && field.args.length > 0 && chance(0.5)) {
      return `(${pick(['width: 100', 'width: 0', 'format: WEBP', 'width: 50, format: PNG'])})`
    }
    return depth < 0 ? '(nope: 1)' : ''
  }

  const directive = () =>
    chance(0.02)
      ? ` ${pick(['@include(if: true)', '@skip(if: true)', `@include(if: ${variable('Boolean!', chance(0.5))})`])}`
      : ''

  const writeField = (field: GraphQLField<unknown, unknown>, depth: number): string => {
    const alias = chance(0.15) ? `a${(aliases += 1)}: ` : ''
    const sub = writeSelection(field.type, depth + 1)
    return `${alias}${field.name}${writeArguments(field, depth)}${directive()}${sub}`
  }

  const writeFields = (type: GraphQLObjectType, depth: number): string => {
    const fields = Object.values(type.getFields()).filter(({ name }) => !MOVING.has(name))
    const leaves = fields.filter((field) => isLeafType(getNamedType(field.type)))
    const from = depth >= MAX_DEPTH ? leaves : fields
    const parts = [chance(0.1) || from.length === 0 ? '__typename' : writeField(pick(from), depth)]
    while (chance(depth === 0 ? 0.3 : 0.7) && parts.length < 8) parts.push(writeField(pick(from), depth))
    if (chance(0.01)) parts.push('nope')
    if (chance(0.05)) parts.push('id')
    const text = parts.join(' ')
    if (depth > 0 && chance(0.08)) return `... on ${type.name} { ${text} }`
    if (depth > 0 && chance(0.08)) {
      const name = `F${fragments.length}`
      fragments.push(`fragment ${name} on ${type.name} { ${text} }`)
      return `...${name}`
    }
    return text
  }

  const writeSelection = (type: GraphQLOutputType, depth: number): string => {
    const named = getNamedType(getNullableType(type))
    if (isLeafType(named)) return chance(0.005) ? ' { nope }' : ''
    if (chance(0.005)) return ''
    if (isObjectType(named)) return ` { ${writeFields(named, depth)} }`
    if (!isAbstractType(named)) return ''
    const members = schema.getPossibleTypes(named)
    return ` { __typename ... on ${pick(members).name} { __typename } ${members.map((one) => (chance(0.6) ? `... on ${one.name} { ${writeFields(one, depth + 1)} }` : '')).join(' ')} }`
  }

  const body = writeFields(query, 0)
  const head = definitions.length > 0 ? `query Q(${definitions.join(', ')})` : pick(['', 'query ', 'query Q '])
  let text = `${head}{ ${body} } ${fragments.join(' ')}`
  const isNamed = head.includes('Q')
  const isMany = isNamed && chance(0.1)
  if (isMany) text += ' query Other { __typename }'
  if (chance(0.02)) {
    const at = Math.floor(random() * text.length)
    text = text.slice(0, at) + text.slice(at + 1)
  }
  const operationName = isMany
    ? pick(['Q', 'Q', 'Other', 'Missing', null])
    : chance(0.1)
      ? pick(['Q', 'Missing', null])
      : undefined
  return {
    query: text,
    ...((definitions.length > 0 || chance(0.1)) && { variables }),
    ...(operationName !== undefined && { operationName }),
  }
}
