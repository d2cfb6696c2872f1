/** The fast path does not support the operation, or a value in its result; the engine has to run it. */
export class UnsupportedOperationError extends Error {
  override readonly name = 'UnsupportedOperationError'
}
