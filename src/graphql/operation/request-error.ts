/**
 * An error response to a request whose document does not run: status, code, and a message that names the cause.
 * Malformed requests carry 400; over WebSocket the message becomes the reason of the close frame.
 */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly status: number
  readonly code: string
  /** In addition to the default ones; a `content-type` here replaces `application/json`. */
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.status = status
    this.code = code
    this.headers = headers
  }
}
