import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http'

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[]

/** A response with headers that it has whoever writes it: sent with the others, where these are not the same. */
export class StandingResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  /** Name and value in turn: a list is what Node sends fastest. */
  #standing: readonly string[] = []

  /** More of them. @param headers names, in lower case, and values in turn. */
  stand(headers: readonly string[]): void {
    this.#standing = this.#standing.length === 0 ? headers : [...this.#standing, ...headers]
  }

  /** @param headers where they are a list, names and values in turn, and none that stands already. */
  override writeHead(status: number, reason?: string, headers?: Headers): this
  override writeHead(status: number, headers?: Headers): this
  override writeHead(status: number, reasonOrHeaders?: string | Headers, more?: Headers): this {
    const [reason, headers = {}] = typeof reasonOrHeaders === 'string' ? [reasonOrHeaders, more] : ['', reasonOrHeaders]
    // Most answers: all headers go at once, none is set before.
    if (reason === '' && Array.isArray(headers) && this.getHeaderNames().length === 0) {
      return super.writeHead(status, [...this.#standing, ...headers])
    }
    const standing = this.#standing
    for (let n = 0; n < standing.length; n += 2) {
      const name = standing[n] ?? ''
      if (!this.hasHeader(name)) this.setHeader(name, standing[n + 1] ?? '')
    }
    return reason === '' ? super.writeHead(status, headers) : super.writeHead(status, reason, headers)
  }
}
