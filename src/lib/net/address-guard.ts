/**
 * Keeps outgoing connections on the public internet. The guard checks the URL as written (scheme, port, IP literals in
 * every spelling), every DNS answer before connecting to exactly that answer, and the connected peer before a byte is
 * sent. It refuses all addresses that are not public, and this machine's own. The one exception is a host that the
 * operator allowed, compared as written in the URL. If 127.0.0.1 or [::1] is allowed on a port, `localhost` is an alias
 * for it there. The caller follows redirects and calls `checkUrl` for each hop.
 */
import { lookup, type LookupAddress } from 'node:dns'
import { isIP, type LookupFunction, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'

import { isPublicAddress, isSameAddress } from './ip-address.ts'
import { parseUrl } from './parse-url.ts'

export type AddressRefusalReason = 'SCHEME' | 'CREDENTIALS' | 'PORT' | 'HOST'

/** The guard's refusal. The message names the host as in the URL, and never an address from DNS. */
export class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError'
  readonly reason: AddressRefusalReason

  constructor(reason: AddressRefusalReason, message: string) {
    super(message)
    this.reason = reason
  }
}

type Resolved = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void
export type Resolve = (hostname: string, resolved: Resolved) => void

export interface AddressGuardOptions {
  /** Exact `host` (any port) or `host:port` entries that may be reached even if their address is private. */
  readonly allowedHosts: readonly string[]
  /** Resolves a host name to all its addresses. Default: the system's resolver. */
  readonly resolve?: Resolve
  /** This machine's own addresses, read again for each check. Default: those of its network interfaces. */
  readonly ownAddresses?: () => readonly string[]
}

export interface AddressGuard {
  /**
   * Checks whether a connection to this URL may be tried. A host name that passes is not yet safe: its DNS answers are
   * checked at connect time.
   * @throws {AddressRefusedError} for a scheme other than http and https, credentials, an IP literal or a local name
   * that is not allowed, and a port that is not one of the web's.
   */
  checkUrl(url: URL): void
  /** Returns whether a connection to `hostname` and `port` may end at this address. */
  permits(hostname: string, port: number, address: string): boolean
  /**
   * Returns a `lookup` for `net.connect`. It fails with AddressRefusedError if any answer is not permitted on this
   * port.
   */
  lookupFor(port: number): LookupFunction
}

/** @throws {TypeError} if an allowed host is not a `host` or `host:port`. */
export function createAddressGuard(options: AddressGuardOptions): AddressGuard {
  const allowed = new Set(options.allowedHosts.map(parseAllowedHost))
  const resolve = options.resolve ?? ((hostname, resolved) => lookup(hostname, { all: true }, resolved))
  const ownAddresses = options.ownAddresses ?? listOwnAddresses

  function isListed(hostname: string, port: number): boolean {
    const host = toHost(hostname)
    return allowed.has(host) || allowed.has(`${host}:${port}`)
  }

  /** Lists the loopback addresses that `localhost` is an alias for, because the operator allowed them by number. */
  function listAliases(hostname: string, port: number): readonly LookupAddress[] {
    if (hostname !== 'localhost' || isListed(hostname, port)) return []
    return LOOPBACK.filter(({ address }) => isListed(address, port))
  }

  function isAllowed(hostname: string, port: number): boolean {
    return isListed(hostname, port) || listAliases(hostname, port).length > 0
  }

  function permits(hostname: string, port: number, address: string): boolean {
    if (isListed(hostname, port)) return true
    if (listAliases(hostname, port).some((alias) => isSameAddress(alias.address, address))) return true
    return isPublicAddress(address) && !ownAddresses().some((own) => isSameAddress(own, address))
  }

  function checkUrl(url: URL): void {
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw new AddressRefusedError('SCHEME', `only http and https addresses are allowed, not ${url.protocol}`)
    }
    if (url.username !== '' || url.password !== '')
      throw new AddressRefusedError('CREDENTIALS', 'an address with a password is not allowed')
    const port = toPort(url.protocol, url.port)
    const host = withoutBrackets(url.hostname)
    if (isAllowed(host, port)) return
    const isRefused = isIP(host) > 0 ? !permits(host, port, host) : isLocalName(host)
    if (isRefused) throw new AddressRefusedError('HOST', `the address of ${url.host} is not allowed`)
    if (!isWebPort(port)) throw new AddressRefusedError('PORT', `the port of ${url.host} is not allowed`)
  }

  function lookupFor(port: number): LookupFunction {
    return (hostname, lookupOptions, answered) => {
      // Not resolved: another program may listen on a loopback address that is not allowed.
      const aliases = listAliases(hostname, port)
      const find: Resolve = aliases.length > 0 ? (_hostname, resolved) => resolved(null, [...aliases]) : resolve
      find(hostname, (error, addresses) => {
        const [first] = addresses ?? []
        if (error !== null) answered(error, '', 0)
        else if (first === undefined) answered(new Error(`no address for ${hostname}`), '', 0)
        // The client may connect to any of them, so one refused address refuses the name.
        else if (!addresses.every(({ address }) => permits(hostname, port, address))) {
          answered(new AddressRefusedError('HOST', `the address of ${hostname} is not allowed`), '', 0)
        } else if (lookupOptions.all === true) answered(null, addresses)
        else answered(null, first.address, first.family)
      })
    }
  }

  return { checkUrl, permits, lookupFor }
}

const LOOPBACK: readonly LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
]

interface ConnectTarget {
  readonly hostname: string
  readonly protocol: string
  readonly port: string
}

type Connected = (...result: [null, Socket] | [Error, null]) => void

/**
 * Creates a connector for an HTTP client's pool (undici's `connect` option); every connection passes the guard.
 * It also checks IP literals, which need no lookup, and the peer of each new connection.
 * @param createConnector wraps a `lookup` in the client's own connector.
 */
export function createGuardedConnector<Target extends ConnectTarget>(
  guard: AddressGuard,
  createConnector: (lookup: LookupFunction) => (target: Target, connected: Connected) => void,
): (target: Target, connected: Connected) => void {
  return (target, connected) => {
    const { hostname } = target
    const port = toPort(target.protocol, target.port)
    const refusal = new AddressRefusedError('HOST', `the address of ${hostname} is not allowed`)
    if (isIP(hostname) > 0 && !guard.permits(hostname, port, hostname)) {
      connected(refusal, null)
      return
    }
    createConnector(guard.lookupFor(port))(target, (...result) => {
      const [error, socket] = result
      if (error !== null) {
        connected(error, null)
      } else if (guard.permits(hostname, port, socket.remoteAddress ?? '')) {
        connected(null, socket)
      } else {
        socket.destroy()
        connected(refusal, null)
      }
    })
  }
}

/** Normalises the entry as the URL parser does. @throws {TypeError} if it is not a `host` or `host:port`. */
export function parseAllowedHost(entry: string): string {
  const match = /^(?<host>\[[^\]]*\]|[^:/?#@[\]\s*\\]+)(?::(?<port>\d{1,5}))?$/.exec(entry)
  const host = match?.groups?.['host'] ?? ''
  const port = match?.groups?.['port']
  const url = parseUrl(`http://${host}`)
  if (!url || Number(port ?? 0) > 65_535) {
    throw new TypeError(`"${entry}" is not a host or host:port`)
  }
  return url.hostname + (port === undefined ? '' : `:${Number(port)}`)
}

/** Returns the host as in a URL: connectors pass IPv6 literals without brackets. */
function toHost(hostname: string): string {
  return hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname
}

function withoutBrackets(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}

function toPort(protocol: string, port: string): number {
  if (port !== '') return Number(port)
  return protocol === 'https:' ? 443 : 80
}

/** Returns whether a name is never public: special names (RFC 6761, 6762, 8375, 9476) and single labels. */
function isLocalName(host: string): boolean {
  const name = host.replace(/\.$/, '')
  return (
    !name.includes('.') ||
    /\.(?:localhost|local|localdomain|internal|intranet|lan|home|corp|home\.arpa|alt)$/.test(name)
  )
}

/** Refuses ports below 1024 other than 80 and 443: some of their protocols accept an HTTP request as their own. */
function isWebPort(port: number): boolean {
  return port === 80 || port === 443 || (port >= 1_024 && !OTHER_PROTOCOLS.has(port))
}

/** The Fetch standard's "bad ports" from 1024 up. */
const OTHER_PROTOCOLS: ReadonlySet<number> = new Set([
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
])

function listOwnAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((entries) => entries?.map(({ address }) => address) ?? [])
}
