import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'

import { writeDurably } from '../../../src/lib/files/durable-file.ts'

/** Reads the key that signs result links; the first call creates the file, readable only by its owner. */
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
