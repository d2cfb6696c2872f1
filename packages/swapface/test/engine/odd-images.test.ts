import { afterAll, describe, expect, it } from 'vitest'

import { openSwapEngine, SwapRefusal } from '../../src/engine/engine.ts'
import { readPortrait } from '../../src/portraits.ts'
import { ODD_IMAGES } from './odd-images.ts'

const engine = openSwapEngine()
afterAll(() => engine.close())

async function swapWith(target: Uint8Array, donor: Uint8Array): Promise<{ outcome: string; message: string }> {
  try {
    const { image } = await engine.swap(target, donor)
    return { outcome: image.length > 0 ? 'SWAPPED' : 'EMPTY', message: '' }
  } catch (error) {
    if (!(error instanceof SwapRefusal)) throw error
    return { outcome: error.code, message: error.message }
  }
}

describe('the engine, given', () => {
  it('is tested with at least sixty odd images', () => {
    expect(ODD_IMAGES.length).toBeGreaterThanOrEqual(60)
  })

  it.each(ODD_IMAGES)('$name as the face: $outcome', async ({ outcome, make }) => {
    const portrait = await readPortrait('mei')
    const found = await swapWith(portrait, await make(portrait))
    expect(found.outcome, found.message).toBe(outcome)
    // The message is for people: it names the image, is one sentence, and has no text of the decoder.
    if (outcome !== 'SWAPPED')
      expect(found.message).toMatch(/^(The face image |No face was found in the face image)[^\n]*\.$/)
  })

  it.each(ODD_IMAGES.filter((_, i) => i % 6 === 0))('$name as the target: $outcome', async ({ outcome, make }) => {
    const portrait = await readPortrait('mei')
    const found = await swapWith(await make(portrait), portrait)
    expect(found.outcome, found.message).toBe(outcome)
  })
})
