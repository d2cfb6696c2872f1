/**
 * What the value of a field depends on, declared where the field or its type is defined (`extensions: { cacheable }`).
 * The fast path sends a response again only if all of its fields allow it (`fast-path/`).
 */
import type { GraphQLObjectType } from 'graphql'

/**
 * - `job`: on the job alone, as long as the job is not done. The same job object always has the same value.
 * - `stored`: on what is stored, and not on the clock, on another service, or on who asks within a tenant. Once a job is
 *   done, what is stored of it changes only together with the job object.
 * - `never`: on anything else, or the field changes something.
 */
export type Cacheable = 'job' | 'stored' | 'never'

/** For the `extensions` of a field, or of a type whose fields are all alike. */
export function declareCacheable(cacheable: Cacheable): { readonly cacheable: Cacheable } {
  return { cacheable }
}

/** The declaration of the field, or else of its type; null if neither has one. */
export function readCacheable(type: GraphQLObjectType, field: string): Cacheable | null {
  const declared = type.getFields()[field]?.extensions['cacheable'] ?? type.extensions['cacheable']
  return declared === 'job' || declared === 'stored' || declared === 'never' ? declared : null
}
