/**
 * The answer to a COMMIT was lost, and could not be found out afterwards: the changes may have been made, or may not.
 * Never to be taken for a failure that undid them.
 */
export class CommitUnknownError extends Error {
  override readonly name = 'CommitUnknownError'

  constructor(cause: unknown) {
    super('it is not known whether the change was committed', { cause })
  }
}
