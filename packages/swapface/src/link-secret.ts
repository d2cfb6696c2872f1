import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'

import { writeDurably } from '../../../src/lib/files/durable-file.ts'

/** The key that signs result links: made at the first start, then kept in this file, which only its owner may read. */
export async function readOrCreateLinkSecret(path: string): Promise<Buffer> {
  const stored = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (stored !== null) return stored
  const secret = randomBytes(32)
  await writeDurably(path, secret, 0o600)
  return secret
}
