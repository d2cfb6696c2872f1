/** What stands in the way of a plan. */
export class UnsupportedOperationError extends Error {
  override readonly name = 'Uncommon'
}
