import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http'

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[]

/** A response with headers that it has whoever writes it: sent with the others, where these are not the same. */
export class ResponseWithDefaults<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  /** Name and value in turn: a list is what Node sends fastest. */
  #defaults: readonly string[] = []

  /** More of them. @param headers names, in lower case, and values in turn. */
  addDefaults(headers: readonly string[]): void {
    this.#defaults = this.#defaults.length === 0 ? headers : [...this.#defaults, ...headers]
  }

  /** @param headers where they are a list, names and values in turn, and none that stands already. */
  override writeHead(status: number, reason?: string, headers?: Headers): this
  override writeHead(status: number, headers?: Headers): this
  override writeHead(status: number, reasonOrHeaders?: string | Headers, more?: Headers): this {
    const [reason, headers = {}] = typeof reasonOrHeaders === 'string' ? [reasonOrHeaders, more] : ['', reasonOrHeaders]
    // Most answers: all headers go at once, none is set before.
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
