/** The operation, or a value in its answer, is not for the fast path; the engine has to run it. */
export class UnsupportedOperationError extends Error {
  override readonly name = 'UnsupportedOperationError'
}
