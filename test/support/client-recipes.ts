/** The programs of docs/CLIENTS.md, as they stand there. */
import { readFileSync } from 'node:fs'

const page = readFileSync('docs/CLIENTS.md', 'utf8')

/** The first fenced block in `language` below a heading. */
export function readRecipe(heading: string, language: string): string {
  const [, below = ''] = page.split(`\n## ${heading}\n`)
  const [, text] = new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(below.split('\n## ')[0] ?? '') ?? []
  if (text === undefined) throw new Error(`docs/CLIENTS.md has no ${language} below "${heading}"`)
  return text
}

/** The same text for a gateway, and its embedded upstream, at other addresses than the default ones. */
export const atGateway = ({ url, upstreamUrl = '' }: { url: string; upstreamUrl?: string }, text: string) =>
  // In one pass: an address that was put in may begin like the other default.
  text.replaceAll(/127\.0\.0\.1:(4000|4010)\b/g, (found, port) => {
    const other = port === '4000' ? url : upstreamUrl
    return other === '' ? found : new URL(other).host
  })
