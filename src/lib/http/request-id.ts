import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** A caller's id: printable ASCII without spaces. */
const VALID = /^[!-~]{1,128}$/

/**
 * @returns a function that returns the id of a request: the `x-request-id` of the caller or its proxy if it is valid,
 * otherwise a new one. New ids are a random prefix and a counter, which costs far less than random bytes for each.
 */
export function createRequestIds(): (request: IncomingMessage) => string {
  const prefix = randomBytes(6).toString('hex')
  let count = 0
  return ({ headers }) => {
    const given = headers['x-request-id']
    if (typeof given === 'string' && VALID.test(given)) return given
    count += 1
    return `${prefix}-${count.toString(36)}`
  }
}
