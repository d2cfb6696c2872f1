/**
 * Failed calls. A failed swap is data of the job; a failed call is one of these, with a stable code.
 * The door translates, in `graphql/errors.ts`.
 */
export type GatewayErrorCode =
  /** The caller's input cannot be used; `message` says what and how to mend it. */
  | 'INVALID_INPUT'
  /** The caller has not been given the scope that this needs. */
  | 'FORBIDDEN'
  /** No such job, or not the caller's: the two are not told apart. */
  | 'NOT_FOUND'
  /** Too many requests of the tenant's; nothing was done. */
  | 'RATE_LIMITED'
  /** The gateway cannot record what was asked for, so it did nothing. */
  | 'UNAVAILABLE'

/** An expected failure of a call. `message` is safe to show to the caller. */
export class GatewayError extends Error {
  readonly code: GatewayErrorCode

  constructor(code: GatewayErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'GatewayError'
    this.code = code
  }
}
