/**
 * The neural path with the real onnxruntime-node, which is not a dependency. If it is not installed, these tests are
 * skipped and their titles say so; with ONNX_TESTS=required its absence is a failure.
 */
import { createRequire } from 'node:module'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'

import sharp from 'sharp'
import { afterEach, describe, expect, test } from 'vitest'

import { COMPOSITE_WITH_TRAINED_MEDIA } from '../../../../../src/lib/image/synthetic-media.ts'
import { SOFTWARE_NAME } from '../../../src/engine/encode.ts'
import { openSwapEngine, type EmbeddedSwapEngine } from '../../../src/engine/engine.ts'
import { loadRuntime } from '../../../src/engine/onnx/runtime.ts'
import { readPortrait } from '../../../src/portraits.ts'
import { openTestApp } from '../../../../../test/support/test-app.ts'
import { makeModels, toDetectorOutputs, writeDetector, writeEmbedder, writeModel, writeSwapper } from './tiny-onnx.ts'

const isInstalled = canResolve('onnxruntime-node')
const note = isInstalled ? '' : ' [not run: onnxruntime-node is not installed]'

function canResolve(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name)
    return true
  } catch {
    return false
  }
}

const open: EmbeddedSwapEngine[] = []

function openEngine(modelsDir: string): EmbeddedSwapEngine {
  const engine = openSwapEngine({ modelsDir })
  open.push(engine)
  return engine
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((engine) => engine.close()))
})

const isRequired = process.env['ONNX_TESTS'] === 'required'
const requiredNote = isRequired ? '' : ' [not run: ONNX_TESTS does not require it]'
test.skipIf(!isRequired)(`onnxruntime-node is installed if it is required${requiredNote}`, () => {
  expect(isInstalled).toBe(true)
})

describe('the models', () => {
  test('are all named in the error if they are missing', async () => {
    const folder = await makeModels({ 'det_10g.onnx': null, 'inswapper_128.onnx': null })
    await expect(openEngine(folder).ready()).rejects.toMatchObject({
      code: 'ENGINE_FAILED',
      message:
        'The neural models cannot be used: det_10g.onnx, inswapper_128.onnx are not in the folder. Put the InsightFace models there under these names.',
    })
  })

  test('are not searched for without a folder, and no thread is started', async () => {
    const before = process.getActiveResourcesInfo().length
    const engine = openSwapEngine()
    await engine.ready()
    expect(process.getActiveResourcesInfo()).toHaveLength(before)
    await engine.close()
  })

  test('stop the program at startup if one is missing, and the error names the setting', async () => {
    const folder = await makeModels({ 'w600k_r50.onnx': null })
    const settings = { TTAPI_KEY: '', LOCAL_UPSTREAM_PORT: '0', SWAPFACE_MODELS_DIR: folder }
    await expect(openTestApp({ settings })).rejects.toMatchObject({
      name: 'SettingError',
      message: expect.stringMatching(/^SWAPFACE_MODELS_DIR is set\. .*: w600k_r50\.onnx is not in the folder\. /),
    })
  })

  test.skipIf(!isInstalled)(`are accepted if they are the right ones${note}`, async () => {
    const engine = openEngine(await makeModels())
    await expect(engine.ready()).resolves.toBeUndefined()
    await expect(engine.ready()).resolves.toBeUndefined()
  })

  test.skipIf(!isInstalled).each([
    ['det_10g.onnx', Buffer.from('no model'), 'det_10g.onnx is not a model that onnxruntime-node can read'],
    ['det_10g.onnx', Buffer.alloc(0), 'det_10g.onnx is not a model that onnxruntime-node can read'],
    ['det_10g.onnx', writeEmbedder(), 'det_10g.onnx has other inputs or outputs'],
    [
      'w600k_r50.onnx',
      writeModel({
        nodes: [{ type: 'Identity', inputs: ['in'], output: 'out' }],
        initializers: [],
        inputs: { in: [1, 3, 112, 112] },
        outputs: { out: [1, 3, 112, 112] },
      }),
      'w600k_r50.onnx has other inputs or outputs',
    ],
    ['w600k_r50.onnx', writeDetector(toDetectorOutputs(1, 1, [])), 'w600k_r50.onnx has other inputs or outputs'],
    ['inswapper_128.onnx', writeEmbedder(), 'inswapper_128.onnx is not the InsightFace model of that name'],
    [
      'inswapper_128.onnx',
      writeSwapper({ name: 'emap', dims: [2, 2], data: new Float32Array(4) }),
      'inswapper_128.onnx is not the InsightFace model of that name',
    ],
  ])(`are refused if %s is wrong (case %#)${note}`, async (file, bytes, message) => {
    const folder = await makeModels({ [file]: bytes })
    await expect(openEngine(folder).ready()).rejects.toMatchObject({
      code: 'ENGINE_FAILED',
      message: expect.stringContaining(`The neural models cannot be used: ${message}`),
    })
  })

  const isRoot = process.getuid?.() === 0
  const rootNote = isRoot ? ' [not run: root may read everything]' : note
  test.skipIf(!isInstalled || isRoot)(`are refused if they are not readable${rootNote}`, async () => {
    const folder = await makeModels()
    await chmod(join(folder, 'inswapper_128.onnx'), 0)
    await expect(openEngine(folder).ready()).rejects.toThrow(/inswapper_128\.onnx cannot be read/)
  })
})

describe('loadRuntime', () => {
  test('throws an error that says how to install a missing package', () => {
    expect(() => loadRuntime('no-such-runtime')).toThrow(
      'The neural models cannot be used: the package no-such-runtime is not installed. Install it with "npm install onnxruntime-node@1.30.0 --ignore-scripts".',
    )
  })

  test('distinguishes a package that does not load from a missing one', () => {
    const broken = join(import.meta.dirname, 'broken-runtime.cjs')
    expect(() => loadRuntime(broken)).toThrow(/is installed, but cannot be loaded on this machine/)
  })
})

describe('a swap with the models', () => {
  test.skipIf(!isInstalled)(`replaces the face and changes nothing around it${note}`, async () => {
    // Any picture works: the test detector always finds a face in the middle.
    const target = await sharp({ create: { width: 640, height: 640, channels: 4, background: '#204060fe' } })
      .png()
      .toBuffer()
    const { image, contentType } = await openEngine(await makeModels()).swap(target, await readPortrait('ada'))
    expect(contentType).toBe('image/png')
    const { data } = await sharp(image).removeAlpha().raw().toBuffer({ resolveWithObject: true })
    const pixel = (x: number, y: number) => [...data.subarray(3 * (y * 640 + x), 3 * (y * 640 + x) + 3)]
    expect(pixel(320, 320)).toEqual([0xdf, 0xbf, 0x9f])
    expect(pixel(20, 20)).toEqual([0x20, 0x40, 0x60])
    expect(pixel(620, 320)).toEqual([0x20, 0x40, 0x60])
  })

  test.skipIf(!isInstalled)(`is marked as synthetic in its metadata${note}`, async () => {
    const portrait = await readPortrait('mei')
    const { image, width, height } = await openEngine(await makeModels()).swap(portrait, portrait)
    expect([width, height]).toEqual([640, 800])
    const text = Buffer.from(image).toString('latin1')
    expect(text).toContain(COMPOSITE_WITH_TRAINED_MEDIA)
    expect(text).toContain(SOFTWARE_NAME)
  })

  test.skipIf(!isInstalled)(`is refused if no face is found, and the next swap succeeds${note}`, async () => {
    const blind = writeDetector(toDetectorOutputs(10, 10, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
    const portrait = await readPortrait('mei')
    const engine = openEngine(await makeModels({ 'det_10g.onnx': blind }))
    for (const picture of [portrait, portrait]) {
      await expect(engine.swap(picture, portrait)).rejects.toMatchObject({
        code: 'FACE_NOT_FOUND',
        message: 'No face was found in the target image.',
      })
    }
  })
})
