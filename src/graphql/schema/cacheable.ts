/**
 * Declares what the value of a field depends on, next to the field or its type (`extensions: { cacheable }`). The fast
 * path (`fast-path/`) caches a response only if all of its fields allow it.
 */
import type { GraphQLObjectType } from 'graphql'

/**
 * - `job`: on the job alone, as long as the job is not done. The same job object always has the same value.
 * - `stored`: on stored data, and not on the clock, on another service, or on the viewer within a tenant. Once a job is
 *   done, its stored data changes only together with the job object.
 * - `never`: on anything else, or the field has side effects.
 */
export type Cacheable = 'job' | 'stored' | 'never'

/** For the `extensions` of a field, or of a type whose fields share the declaration. */
export function declareCacheable(cacheable: Cacheable): { readonly cacheable: Cacheable } {
  return { cacheable }
}

/** The declaration of the field, or else of its type; null if neither has one. */
export function readCacheable(type: GraphQLObjectType, field: string): Cacheable | null {
  const declared = type.getFields()[field]?.extensions['cacheable'] ?? type.extensions['cacheable']
  return declared === 'job' || declared === 'stored' || declared === 'never' ? declared : null
}
