import sharp from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createClosers } from '../../../src/lib/async/closers.ts'
import { openSwapEngine } from '../src/engine/engine.ts'
import { openScriptedHost, type ScriptedHost } from '../../../test/support/scripted-host.ts'
import { openStage, type Stage } from './support/swapface-stage.ts'

const closers = createClosers()
let stage: Stage
let blank: ScriptedHost

beforeAll(async () => {
  const wall = await sharp({ create: { width: 400, height: 400, channels: 3, background: '#7a8' } })
    .jpeg()
    .toBuffer()
  blank = await openScriptedHost((_request, response) => response.end(wall))
  closers.add(() => blank.close())
  stage = await openStage(closers, { engine: openSwapEngine(), allowedPrivateHosts: [blank.host] })
})
afterAll(() => closers.closeAll())

test('a swap of two portraits of the embedded upstream has the target’s size and other pixels', async () => {
  const [targetImage, swapImage] = ['ada', 'kofi'].map((name) => `${stage.face.url}/portraits/${name}.jpg`)
  const done = await stage.fetchDone(await stage.submit({ targetImage: targetImage ?? '', swapImage: swapImage ?? '' }))
  expect(done).toMatchObject({ status: 'SUCCESS', data: { targetImage, swapImage } })
  const [target, result] = await Promise.all([targetImage, done.data?.discordImage].map(readPixels))
  expect(result?.info).toEqual(target?.info)
  expect(result?.data.equals(target?.data ?? Buffer.alloc(0))).toBe(false)
}, 60_000)

test('the message of the embedded upstream names the image without a face', async () => {
  const portrait = `${stage.face.url}/portraits/ada.jpg`
  const asTarget = await stage.fetchDone(await stage.submit({ targetImage: `${blank.url}/`, swapImage: portrait }))
  expect(asTarget).toMatchObject({ status: 'FAILED', message: 'No face was found in the target image.' })
  const asFace = await stage.fetchDone(await stage.submit({ targetImage: portrait, swapImage: `${blank.url}/` }))
  expect(asFace).toMatchObject({ status: 'FAILED', message: 'No face was found in the face image.' })
}, 60_000)

async function readPixels(url: string | undefined) {
  const answer = await fetch(url ?? '')
  return sharp(await answer.arrayBuffer())
    .raw()
    .toBuffer({ resolveWithObject: true })
}
