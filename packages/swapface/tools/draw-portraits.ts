// Draws the project's portraits anew: portraits/*.jpg are what portraits/generator makes.
import { writeFile } from 'node:fs/promises'
import { drawPortrait, PORTRAIT_NAMES } from '../portraits/generator/draw-portrait.ts'

for (const name of PORTRAIT_NAMES) {
  await writeFile(`portraits/${name}.jpg`, await drawPortrait(name))
  console.log(`portraits/${name}.jpg`)
}
