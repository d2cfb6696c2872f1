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

/** The same program for a gateway at another address. */
export const atGateway = (url: string, text: string) => text.replaceAll('127.0.0.1:4000', new URL(url).host)
