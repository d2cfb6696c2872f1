/**
 * Decides whether an IP address belongs to the public internet. Pure: no DNS, no sockets. An address is public only if
 * it is in the globally routed space and in none of IANA's special-purpose blocks; text that is not an address is not
 * public. IPv6 forms that embed an IPv4 address (mapped, NAT64) are judged by that address. 6to4 and Teredo, which no
 * web server uses, are never public.
 */
import { isIPv4, isIPv6 } from 'node:net'

/** An IP address as its bytes: 4 of them, or 16. */
export type IpBytes = readonly number[]

type Block = readonly [prefix: IpBytes, bits: number]

const SPECIAL_V4: readonly Block[] = [
  [[0], 8], // "this network", the unspecified address
  [[10], 8],
  [[100, 64], 10], // shared address space (CGNAT)
  [[127], 8],
  [[168, 63, 129, 16], 32], // Azure's host agent and metadata
  [[169, 254], 16], // link-local, cloud metadata
  [[172, 16], 12],
  [[192, 0, 0], 24], // protocol assignments
  [[192, 0, 2], 24], // documentation
  [[192, 88, 99], 24], // 6to4 relays
  [[192, 168], 16],
  [[198, 18], 15], // benchmarking
  [[198, 51, 100], 24], // documentation
  [[203, 0, 113], 24], // documentation
  [[224], 4], // multicast
  [[240], 4], // reserved, broadcast
]

/** Global unicast. All else (loopback, unique-local, link-local, multicast, IPv4-compatible …) lies outside it. */
const GLOBAL_V6: Block = [[0x20], 3]

const SPECIAL_V6: readonly Block[] = [
  [[0x20, 0x01, 0x00], 23], // protocol assignments: Teredo, benchmarking, ORCHID
  [[0x20, 0x01, 0x0d, 0xb8], 32], // documentation
  [[0x20, 0x02], 16], // 6to4
  [[0x3f, 0xff, 0x00], 20], // documentation
]

const MAPPED_V4: Block = [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff], 96]
const NAT64: Block = [[0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0], 96]

/** Parses an address in canonical or short form; null for a host name, and for an address with a zone id. */
export function parseIpAddress(text: string): IpBytes | null {
  if (isIPv4(text)) return text.split('.').map(Number)
  if (!isIPv6(text) || text.includes('%')) return null
  // The URL parser normalises every IPv6 form, dotted tails included, to hex groups.
  const groups = new URL(`http://[${text}]`).hostname.slice(1, -1)
  const [head = '', tail] = groups.split('::')
  const front = toGroups(head)
  const back = tail === undefined ? [] : toGroups(tail)
  const zeros = Array<number>(8 - front.length - back.length).fill(0)
  return [...front, ...zeros, ...back].flatMap((group) => [group >> 8, group & 0xff])
}

/** Returns whether the text is a public IP address; false for text that is not an address. */
export function isPublicAddress(text: string): boolean {
  const bytes = parseIpAddress(text)
  return bytes !== null && isPublic(bytes)
}

/** Returns whether both texts are the same address in any spelling; an IPv4-mapped address equals its IPv4 address. */
export function isSameAddress(a: string, b: string): boolean {
  const first = parseIpAddress(a)
  const second = parseIpAddress(b)
  if (first === null || second === null) return false
  return unmapped(first).join() === unmapped(second).join()
}

function isPublic(bytes: IpBytes): boolean {
  if (bytes.length === 4) return !SPECIAL_V4.some((block) => isInside(bytes, block))
  if (isInside(bytes, MAPPED_V4) || isInside(bytes, NAT64)) return isPublic(bytes.slice(12))
  return isInside(bytes, GLOBAL_V6) && !SPECIAL_V6.some((block) => isInside(bytes, block))
}

function unmapped(bytes: IpBytes): IpBytes {
  return bytes.length === 16 && isInside(bytes, MAPPED_V4) ? bytes.slice(12) : bytes
}

function toGroups(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
}

function isInside(bytes: IpBytes, [prefix, bits]: Block): boolean {
  return prefix.every((byte, i) => {
    const mask = (0xff << Math.max(0, 8 * (i + 1) - bits)) & 0xff
    return ((bytes[i] ?? 0) & mask) === (byte & mask)
  })
}
