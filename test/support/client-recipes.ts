/** Extracts the programs of docs/CLIENTS.md. */
import { readFileSync } from 'node:fs'

const page = readFileSync('docs/CLIENTS.md', 'utf8')

/** Returns the first fenced block in `language` below a heading. */
export function readRecipe(heading: string, language: string): string {
  const [, below = ''] = page.split(`\n## ${heading}\n`)
  const [, text] = new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(below.split('\n## ')[0] ?? '') ?? []
  if (text === undefined) throw new Error(`docs/CLIENTS.md has no ${language} below "${heading}"`)
  return text
}

/** Replaces the default addresses of the gateway and its embedded upstream in a text. */
export const atGateway = ({ url, upstreamUrl = '' }: { url: string; upstreamUrl?: string }, text: string) =>
  // In one pass: a replacement may begin like the other default address.
  text.replaceAll(/127\.0\.0\.1:(4000|4010)\b/g, (found, port) => {
    const other = port === '4000' ? url : upstreamUrl
    return other === '' ? found : new URL(other).host
  })
