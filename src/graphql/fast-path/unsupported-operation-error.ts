/** What stands in the way of a plan. */
export class Uncommon extends Error {
  override readonly name = 'Uncommon'
}
