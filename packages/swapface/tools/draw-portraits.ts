// Draws the package's portraits again: `npx tsx packages/swapface/tools/draw-portraits.ts`.
import { writeFile } from 'node:fs/promises'
import { drawPortrait, PORTRAIT_NAMES } from './draw-portrait.ts'

for (const name of PORTRAIT_NAMES) {
  await writeFile(new URL(`../portraits/${name}.jpg`, import.meta.url), await drawPortrait(name))
  console.log(`portraits/${name}.jpg`)
}
