/**
 * The limits of every database and of the GraphQL schema. External values are checked against them when they are
 * parsed: a value that one database rejects would fail a write after the upstream has charged for the swap.
 */

/** The largest `Int` of GraphQL, and of a PostgreSQL `integer`. */
export const MAX_INT = 2_147_483_647

/** Whether every database stores the text unchanged: PostgreSQL rejects NUL, and half a surrogate pair has no UTF-8. */
export function isStorable(text: string): boolean {
  return !/[\0\p{Surrogate}]/u.test(text)
}
