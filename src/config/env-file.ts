/**
 * Parses `.env`: NAME=value, one per line, with the syntax of Docker Compose. A line that cannot be parsed is an error;
 * it is never skipped.
 */
import { SettingError } from './env.ts'

const NAME = /^(?:export\s+)?([A-Za-z_]\w*)\s*=[^\S\n]*/

/**
 * Parses UTF-8 with or without a byte order mark, and any line ends. Values quoted with ", ' or ` may span several
 * lines; "\n" is a line break within double quotes. `#` begins a comment at the start of a line, or after a blank.
 * @throws {SettingError} for another encoding, or a line that is not NAME=value.
 */
export function parseEnvFile(bytes: Uint8Array): Record<string, string> {
  let rest = decode(bytes).replaceAll(/\r\n?/g, '\n')
  const values: Record<string, string> = {}
  for (let line = 1; rest !== '';) {
    const before = rest
    const blank = /^[^\S\n]*(?:#[^\n]*)?(?:\n|$)/.exec(rest)
    if (blank) {
      rest = rest.slice(blank[0].length)
    } else {
      rest = rest.trimStart()
      const [head, name] = NAME.exec(rest) ?? []
      if (head === undefined || name === undefined) throw new SettingError('.env', `line ${line} is not NAME=value`)
      const [all, value] = parseValue(rest.slice(head.length), name, line)
      values[name] = value
      rest = rest.slice(head.length + all.length)
    }
    line += before.slice(0, before.length - rest.length).split('\n').length - 1
  }
  return values
}

/** The value, and the text it takes up to the end of its last line. */
function parseValue(text: string, name: string, line: number): readonly [all: string, value: string] {
  const quote = /^["'`]/.exec(text)?.[0]
  if (quote === undefined) {
    const all = /^[^\n]*\n?/.exec(text)?.[0] ?? ''
    return [all, all.replace(/(?:^|\s)#.*/, '').trim()]
  }
  const end = text.indexOf(quote, 1)
  if (end === -1) throw new SettingError(name, `in .env, line ${line}, has no closing ${quote}`)
  const after = /^[^\S\n]*(?:#[^\n]*)?(?:\n|$)/.exec(text.slice(end + 1))
  if (!after) throw new SettingError(name, `in .env, line ${line}, has text after its closing ${quote}`)
  const value = text.slice(1, end)
  return [text.slice(0, end + 1) + after[0], quote === '"' ? value.replaceAll('\\n', '\n') : value]
}

function decode(bytes: Uint8Array): string {
  // UTF-16 has its own byte order mark, or a zero byte in every ASCII character.
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff) || bytes.includes(0)) {
    throw new SettingError('.env', 'is UTF-16, or not a text file: save it as UTF-8')
  }
  try {
    // Strips the byte order mark of UTF-8.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new SettingError('.env', 'is not UTF-8: save it as UTF-8')
  }
}
