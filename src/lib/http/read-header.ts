import type { IncomingMessage } from 'node:http'

/** A header that is sent once; null where there is none. @param name in lower case. */
export function readHeader({ headers }: IncomingMessage, name: string): string | null {
  const value = headers[name]
  return typeof value === 'string' ? value : null
}
