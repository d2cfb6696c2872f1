import { afterEach, describe, expect, it } from 'vitest'

import { openSwapEngine, SwapRefusal, type SwapEngineOptions } from '../../src/engine/engine.ts'
import { readPortrait } from '../../src/portraits.ts'

const open: ReturnType<typeof openSwapEngine>[] = []

function openEngine(options?: SwapEngineOptions): ReturnType<typeof openSwapEngine> {
  const engine = openSwapEngine(options)
  open.push(engine)
  return engine
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((engine) => engine.close()))
})

describe('openSwapEngine', () => {
  it('swaps several jobs in the order of the calls, and does not detach the caller’s bytes', async () => {
    const engine = openEngine()
    const [target, donor] = [await readPortrait('mei'), await readPortrait('ada')]
    const length = target.length
    const done: string[] = []
    const results = await Promise.all(
      ['first', 'second'].map(async (name) => {
        const result = await engine.swap(target, donor)
        done.push(name)
        return result
      }),
    )
    expect(done).toEqual(['first', 'second'])
    expect(target).toHaveLength(length)
    expect(results[0]).toMatchObject({ contentType: 'image/jpeg', width: 640, height: 800 })
    expect(Buffer.compare(results[0]?.image ?? Buffer.alloc(0), results[1]?.image ?? Buffer.alloc(1))).toBe(0)
  })

  it('prints nothing during a swap', async () => {
    const written: unknown[] = []
    const write = process.stdout.write.bind(process.stdout)
    process.stdout.write = (chunk: unknown) => written.push(chunk) > 0
    try {
      await openEngine().swap(await readPortrait('mei'), await readPortrait('ada'))
    } finally {
      process.stdout.write = write
    }
    expect(written).toEqual([])
  })

  it('refuses a bad picture and runs the next job', async () => {
    const engine = openEngine()
    const portrait = await readPortrait('mei')
    await expect(engine.swap(Buffer.from('no picture'), portrait)).rejects.toMatchObject({
      code: 'IMAGE_TYPE_NOT_ALLOWED',
      message: 'The target image is not a JPEG, PNG or WebP image.',
    })
    await expect(engine.swap(portrait, portrait)).resolves.toMatchObject({ width: 640 })
  })

  it('stops a job that exceeds its time limit and runs the next one in a new worker', async () => {
    const engine = openEngine({ jobTimeLimitMs: 20 })
    const portrait = await readPortrait('mei')
    const refusals = await Promise.all(
      [1, 2].map(() => engine.swap(portrait, portrait).catch((error: unknown) => error)),
    )
    for (const refusal of refusals) {
      expect(refusal).toBeInstanceOf(SwapRefusal)
      expect(refusal).toMatchObject({ code: 'TIMED_OUT', message: 'The swap took longer than 0.02 s and was stopped.' })
    }
  })

  it('rejects running, waiting and new jobs when it is closed', async () => {
    const engine = openEngine()
    const portrait = await readPortrait('mei')
    const jobs = [1, 2].map(() => engine.swap(portrait, portrait).catch((error: unknown) => error))
    await engine.close()
    expect(await Promise.all(jobs)).toMatchObject([{ code: 'ENGINE_FAILED' }, { code: 'ENGINE_FAILED' }])
    await expect(engine.swap(portrait, portrait)).rejects.toMatchObject({ code: 'ENGINE_FAILED' })
    await engine.close()
  })

  it('starts no worker before the first job', async () => {
    const before = process.getActiveResourcesInfo().length
    openEngine()
    expect(process.getActiveResourcesInfo()).toHaveLength(before)
  })
})
