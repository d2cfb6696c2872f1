/**
 * What every database and the GraphQL schema can hold. Values from outside are checked against it when they are parsed:
 * one that only one database rejects would fail a write after the money was spent.
 */

/** The largest `Int` of GraphQL, and of a PostgreSQL `integer`. */
export const MAX_INT = 2_147_483_647

/** Whether a text is kept as it is: PostgreSQL rejects NUL, and half a surrogate pair has no UTF-8. */
export function isStorable(text: string): boolean {
  return !/[\0\p{Surrogate}]/u.test(text)
}
