import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http'

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[]

/** A ServerResponse with default headers. A header set by the handler overrides the default of the same name. */
export class ResponseWithDefaults<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  /** Of the request, for the log; empty before the listener sets it. */
  requestId = ''
  /** The code of the error that the response carries; null if it carries none. */
  errorCode: string | null = null
  /** Alternating names and values: Node sends a flat list fastest. */
  #defaults: readonly string[] = []

  /** Adds default headers. @param headers alternating lower-case names and values. */
  addDefaults(headers: readonly string[]): void {
    this.#defaults = this.#defaults.length === 0 ? headers : [...this.#defaults, ...headers]
  }

  /** @param headers if a list: alternating names and values, none of them a default. */
  override writeHead(status: number, reason?: string, headers?: Headers): this
  override writeHead(status: number, headers?: Headers): this
  override writeHead(status: number, reasonOrHeaders?: string | Headers, more?: Headers): this {
    const [reason, headers = {}] = typeof reasonOrHeaders === 'string' ? [reasonOrHeaders, more] : ['', reasonOrHeaders]
    // The most frequent case, and the fastest: no header was set before.
    if (reason === '' && Array.isArray(headers) && this.getHeaderNames().length === 0) {
      return super.writeHead(status, [...this.#defaults, ...headers])
    }
    const defaults = this.#defaults
    for (let n = 0; n < defaults.length; n += 2) {
      const name = defaults[n] ?? ''
      if (!this.hasHeader(name)) this.setHeader(name, defaults[n + 1] ?? '')
    }
    return reason === '' ? super.writeHead(status, headers) : super.writeHead(status, reason, headers)
  }
}
