import { SettingError } from './env.ts'
import { parseUrl } from '../lib/net/parse-url.ts'

/** Only a scheme and an authority: browsers send neither a wildcard nor a path. */
const ORIGIN = /^(?<scheme>[a-z][a-z\d+.-]*):\/\/(?<host>[^\s\p{Cc}/?#@\\*]+)\/?$/iu

/**
 * Parses one entry of ALLOWED_ORIGINS into the origin that browsers send, in lower case: `https://app.example.com`,
 * `capacitor://localhost`, `chrome-extension://<id>`. For http and https, default ports are dropped and international
 * host names are encoded, as browsers do.
 * @throws {SettingError} if the entry is not a scheme, a host and an optional port.
 */
export function parseAllowedOrigin(text: string): string {
  const { scheme = '', host = '' } = ORIGIN.exec(text)?.groups ?? {}
  const url = scheme === '' ? null : parseUrl(`${scheme}://${host}`)
  if (!url) {
    throw new SettingError(
      'ALLOWED_ORIGINS',
      'must list origins such as https://app.example.com or capacitor://localhost: scheme, host and port, without a path or *',
    )
  }
  if (url.protocol === 'file:') {
    throw new SettingError(
      'ALLOWED_ORIGINS',
      'cannot list file:, because any page can have the origin of a file. Serve the page over http or https',
    )
  }
  return `${url.protocol}//${url.host}`.toLowerCase()
}
