/** The authority that a request is addressed to (RFC 9110, 7.2). */

/**
 * A Host header in one spelling: lower case, without the scheme's default port and without the dot of a fully qualified
 * name. Returns null for a text that is not `host` or `host:port`.
 * @param protocol `http:` or `https:`: which port is the default one.
 */
export function normaliseHost(host: string, protocol: string): string | null {
  if (!/^(?:\[[\da-f:.]+\]|[^\s\p{Cc}/?#@\\:[\]]+)(?::\d{0,5})?$/iu.test(host)) return null
  const text = `${protocol}//${host}`
  if (!URL.canParse(text)) return null
  const { hostname, port } = new URL(text)
  return `${hostname.replace(/\.$/, '')}${port === '' ? '' : `:${port}`}`
}

/**
 * Whether a normalised host can only mean the machine of the client that uses it: an address in 127/8, [::1], or
 * `localhost` and the names below it (RFC 6761, 6.3). No DNS record can make another site's name such a name.
 */
export function isLoopbackHost(host: string): boolean {
  return /^(?:(?:[a-z\d-]+\.)*localhost|\[::1\]|127\.\d{1,3}\.\d{1,3}\.\d{1,3})(?::\d{1,5})?$/.test(host)
}
