/**
 * Finds what is wrong with an image or hook address. Each cause has its own code and a message that says how to fix it.
 * Addresses reach the upstream byte for byte, so nothing is corrected: `new URL` would silently drop spaces and convert
 * backslashes.
 */
import { MAX_ADDRESS_CHARS } from '../domain/address.ts'
import { isStorable } from '../domain/storable.ts'
import { parseUrl } from '../lib/net/parse-url.ts'

/** Members of `SwapInputIssueCode`. */
type AddressIssueCode =
  | 'REQUIRED'
  | 'TOO_LONG'
  | 'NOT_HTTP_URL'
  | 'SCHEME_REQUIRED'
  | 'SCHEME_NOT_SUPPORTED'
  | 'DATA_URL_NOT_SUPPORTED'
  | 'ADDRESS_HAS_SPACE'
  | 'ADDRESS_HAS_CONTROL_CHARACTER'
  | 'ADDRESS_HAS_BACKSLASH'
  | 'ADDRESS_HAS_CREDENTIALS'

export interface AddressIssue {
  readonly code: AddressIssueCode
  readonly message: string
}

const SCHEME = /^(?<scheme>[a-z][a-z\d+.-]*):/i
/** Matches the scheme pattern, but is a host and a port: `localhost:4010/a.jpg`, `example.com:8080`. */
const HOST_AND_PORT = /^(?:localhost|[^/?#:]*\.[^/?#:]*):\d/i
/** Everything between `//` and the path. */
const AUTHORITY = /^https?:\/\/(?<authority>[^/?#\\]*)/i
const MAX_SCHEME_CHARS_SHOWN = 20

/** @returns the first thing that is wrong with the text of an address; null if it is an absolute http(s) address. */
export function findAddressIssue(text: string): AddressIssue | null {
  if (text === '') return issue('REQUIRED', 'The URL must not be empty.')
  if (text.length > MAX_ADDRESS_CHARS) {
    return issue('TOO_LONG', `The URL may have at most ${MAX_ADDRESS_CHARS} characters; this one has ${text.length}.`)
  }
  return findForbiddenCharacter(text) ?? findSchemeIssue(text) ?? findAuthorityIssue(text)
}

function findForbiddenCharacter(text: string): AddressIssue | null {
  if (/\p{Cc}/u.test(text) || !isStorable(text)) {
    return issue(
      'ADDRESS_HAS_CONTROL_CHARACTER',
      'The URL must not contain control characters, line breaks or unpaired surrogates. Remove them.',
    )
  }
  if (text.trim() !== text) {
    return issue('ADDRESS_HAS_SPACE', 'The URL must not begin or end with a space. Remove it.')
  }
  if (/\s/.test(text)) {
    return issue('ADDRESS_HAS_SPACE', 'The URL must not contain a space. Percent-encode it as %20.')
  }
  const [beforeQuery = ''] = text.split(/[?#]/, 1)
  return beforeQuery.includes('\\')
    ? issue(
        'ADDRESS_HAS_BACKSLASH',
        'The URL must not contain a backslash. Replace it with /, or with %5C if it is part of a name.',
      )
    : null
}

function findSchemeIssue(text: string): AddressIssue | null {
  if (text.startsWith('//')) {
    return issue('SCHEME_REQUIRED', 'The URL must have a scheme. Add https: or http: before the //.')
  }
  const scheme = SCHEME.exec(text)?.groups?.['scheme']?.toLowerCase()
  if (scheme === undefined || HOST_AND_PORT.test(text)) {
    return issue('SCHEME_REQUIRED', 'The URL must be absolute. Start it with https:// or http://.')
  }
  if (scheme === 'data') {
    return issue(
      'DATA_URL_NOT_SUPPORTED',
      'A data: URL is not supported. Upload the image with createSwapUpload and use its uploadId.',
    )
  }
  return scheme === 'http' || scheme === 'https'
    ? null
    : issue(
        'SCHEME_NOT_SUPPORTED',
        `URLs with the scheme ${scheme.slice(0, MAX_SCHEME_CHARS_SHOWN)}: are not supported. Use an http:// or https:// URL.`,
      )
}

function findAuthorityIssue(text: string): AddressIssue | null {
  const authority = AUTHORITY.exec(text)?.groups?.['authority']
  if (authority === undefined) return issue('NOT_HTTP_URL', 'The URL must have // after its scheme: https://host/path.')
  if (authority.includes('@')) {
    return issue(
      'ADDRESS_HAS_CREDENTIALS',
      'The URL must not contain a user name or password. Remove everything between // and the host, including the @.',
    )
  }
  return authority === '' || parseUrl(text) === null
    ? issue(
        'NOT_HTTP_URL',
        'The URL must have a valid host name or IP address, and a port of at most 65535 if it has one.',
      )
    : null
}

function issue(code: AddressIssueCode, message: string): AddressIssue {
  return { code, message }
}
