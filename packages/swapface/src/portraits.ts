import { readFile } from 'node:fs/promises'

/** Names of the portraits for a first swap. The project's generator draws them; the people do not exist. */
export const PORTRAIT_NAMES = ['ada', 'kofi', 'mei', 'nora', 'omar', 'zola', 'hugo', 'leila'] as const

/** Reads a portrait, a JPEG of 640 x 800. */
export async function readPortrait(name: (typeof PORTRAIT_NAMES)[number]): Promise<Uint8Array> {
  return readFile(new URL(`../portraits/${name}.jpg`, import.meta.url))
}
