/** Runs shell blocks of docs/OPERATIONS.md, so that a test uses the commands that an operator copies. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface BlockOptions {
  /** Working directory of the commands. */
  readonly cwd: string
  /** Replaces names of the example by those of the test. */
  readonly edit?: (block: string) => string
  readonly env?: Readonly<Record<string, string>>
}

/** Runs the first shell block after `words`, and stops at the first command that fails, as `sh -e` does. */
export async function runBlockAfter(words: string, { cwd, edit = (block) => block, env }: BlockOptions): Promise<void> {
  const [, after = ''] = (await readFile('docs/OPERATIONS.md', 'utf8')).split(words)
  const [, block] = /^```sh\n([\s\S]*?)^```$/m.exec(after) ?? []
  if (block === undefined) throw new Error(`there is no block after "${words}"`)
  await run('sh', ['-e', '-c', edit(block)], { cwd, env: { PATH: process.env['PATH'], ...env } })
}
