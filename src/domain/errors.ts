/** Failed calls. A failed swap is data of the job; a failed call is one of these, with a stable code. */
export type GatewayErrorCode =
  /** The caller's input cannot be used; `message` says what is wrong and what to do. */
  | 'INVALID_INPUT'
  /** The caller lacks the scope that the call requires. */
  | 'FORBIDDEN'
  /** The job does not exist, or belongs to another tenant. Callers cannot distinguish the two. */
  | 'NOT_FOUND'
  /** The tenant sent too many requests; nothing was done. */
  | 'RATE_LIMITED'
  /** The gateway cannot record the call, so it did nothing. */
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

/** The HTTP status of a failed call, for every entry point. */
export function toHttpStatus(code: GatewayErrorCode): number {
  switch (code) {
    case 'INVALID_INPUT':
      return 400
    case 'FORBIDDEN':
      return 403
    case 'NOT_FOUND':
      return 404
    case 'RATE_LIMITED':
      return 429
    case 'UNAVAILABLE':
      return 503
  }
}
