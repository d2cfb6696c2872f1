import { readFile } from 'node:fs/promises'

/** People who do not exist, drawn by the project's own generator: for a first swap nobody needs a picture of anybody. */
export const PORTRAIT_NAMES = ['ada', 'kofi', 'mei', 'nora', 'omar', 'zola', 'hugo', 'leila'] as const

/** The portrait of that name, a JPEG of 640 x 800. */
export async function readPortrait(name: (typeof PORTRAIT_NAMES)[number]): Promise<Uint8Array> {
  return readFile(new URL(`../portraits/${name}.jpg`, import.meta.url))
}
