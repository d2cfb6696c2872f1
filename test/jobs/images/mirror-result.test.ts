/** Copies of results: retried for a day, and bounded in bytes by one limit. */
import { join } from 'node:path'
import type { ServerResponse } from 'node:http'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { openDiskBlobStore } from '../../../src/blob/disk.ts'
import type { SwapJob } from '../../../src/domain/swap-job.ts'
import { createSharpCodec } from '../../../src/images/sharp.ts'
import { ImageLibrary } from '../../../src/jobs/images/image-library.ts'
import { openMirror } from '../../../src/jobs/images/mirror-result.ts'
import { createBackground } from '../../../src/lib/async/background.ts'
import { createImageStore } from '../../../src/store/sql/image-store.ts'
import { createJobStore } from '../../../src/store/sql/job-store.ts'
import { openResultSource } from '../../../src/upstream/result-download.ts'
import { closeAfterTest } from '../../support/close-after-test.ts'
import { makeImage } from '../../support/images.ts'
import { LIMITS, makeNewSwapJob } from '../../support/jobs.ts'
import { createManualClock } from '../../support/manual-clock.ts'
import { openEngine } from '../../support/open-engine.ts'
import { openScriptedHost } from '../../support/scripted-host.ts'
import { makeDataDir } from '../../support/test-app.ts'
import { until } from '../../support/until.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
/** The documented schedule, counted from the end of the job. */
const SCHEDULE = [15 * SECOND, MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 24 * HOUR]
const ENDED_AT = 1_700_000_000_000
const PERMITS = 80_000_000

async function openStage(respond: (response: ServerResponse, path: string) => void) {
  const host = await openScriptedHost(({ path }, response) => respond(response, path))
  closeAfterTest(() => host.close())
  const engine = await openEngine()
  const store = createJobStore(engine)
  const images = createImageStore(engine)
  const blobs = openDiskBlobStore(join(await makeDataDir(), 'images'))
  const codec = createSharpCodec()
  const clock = createManualClock(ENDED_AT)
  const moveTo = (at: number) => clock.advance(at - clock.now())
  /** Moves the clock to a time, and waits until the work that becomes due is done. */
  const runTo = async (at: number) => {
    moveTo(at)
    await clock.untilPending()
  }
  const library = new ImageLibrary({ images, blobs, codec, clock })
  const failures: { at: number; isFinal: boolean }[] = []
  const telemetry = {
    mirrorFailed: (_job: SwapJob, { isFinal }: { isFinal: boolean }) => failures.push({ at: clock.now(), isFinal }),
    resultCopied: () => {},
    backgroundFailed: (_what: string, error: unknown) => {
      throw error
    },
  }
  /** Starts the copying process; the store and the blobs outlive it. @returns a function that stops it. */
  const start = () => {
    const stopping = new AbortController()
    const background = createBackground((_what, error) => expect.unreachable(String(error)))
    const source = openResultSource({ allowedHosts: [host.host] })
    const parts = { store, images, library, codec, source, background, telemetry, clock, stopping: stopping.signal }
    const mirror = openMirror(parts)
    const stop = async () => {
      if (stopping.signal.aborted) return
      stopping.abort()
      await background.settled()
      await source.close()
    }
    closeAfterTest(stop)
    return { mirror, stop }
  }
  /** Creates a finished job without a copy of its result. */
  const endJob = async (id: string, tenant = 'a') => {
    const room = { maxInFlight: 100, maxWaiting: 100 }
    const made = await store.createJob(makeNewSwapJob(id, ENDED_AT - SECOND, { tenant }), room, LIMITS)
    if (made.kind !== 'created') throw new Error(made.kind)
    const links = { cdnImage: `${host.url}/${id}`, discordImage: null }
    const patch = { links, finishedAt: ENDED_AT, wakeAt: null, upstreamId: id }
    const ended = await store.applyDecision(made.job, { kind: 'transition', to: 'SUCCESS', patch }, ENDED_AT, 'FETCH')
    if (!ended) throw new Error('another writer won')
    return { job: ended, links }
  }
  const read = async (id: string) => (await store.findJob(id)) ?? expect.unreachable(`no job ${id}`)
  return { start, clock, moveTo, runTo, endJob, read, failures, host }
}

/** The interval at which the process checks for due copies. */
const SWEEP = 5 * SECOND
/** For each retry, the time at which it becomes due and the next sweep. */
const MOMENTS = SCHEDULE.flatMap((after) => [after, after + SWEEP])

test('a failed copy is retried on the documented schedule for a day; then the job has the reason', async () => {
  const { start, clock, runTo, endJob, read, failures, host } = await openStage((response) =>
    response.writeHead(503).end(),
  )
  const { mirror } = start()
  await clock.untilPending()
  const { job, links } = await endJob('job_1')
  expect(await mirror.copySoon(job, links)).toEqual({ copyId: null, mirrorFailure: null })
  const requests: number[] = []
  for (const after of MOMENTS) {
    await runTo(ENDED_AT + after)
    requests.push(host.requests.length - 1)
  }
  expect(requests).toEqual(SCHEDULE.flatMap((_after, n) => [n, n + 1]))
  expect(failures.map(({ at, isFinal }) => [at - ENDED_AT, isFinal])).toEqual([
    [0, false],
    ...SCHEDULE.map((after) => [after + SWEEP, after === 24 * HOUR]),
  ])
  expect(await read('job_1')).toMatchObject({ status: 'SUCCESS', copyId: null, mirrorFailure: expect.any(String) })
  for (const days of [2, 3, 10]) await runTo(ENDED_AT + days * 24 * HOUR)
  expect(host.requests).toHaveLength(1 + SCHEDULE.length)
})

test('the first retry after the host is back makes the copy, whenever that is and whenever the gateway restarts', async () => {
  const image = await makeImage()
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 7 }),
      fc.option(fc.integer({ min: 1, max: 7 })),
      async (back, restart) => {
        let isUp = false
        const stage = await openStage((response) => (isUp ? response.end(image) : response.writeHead(503).end()))
        const { clock, runTo, endJob, read } = stage
        let { stop } = stage.start()
        await clock.untilPending()
        await endJob('job_1')
        for (const [n, after] of SCHEDULE.entries()) {
          isUp = n >= back
          if (n === restart) {
            await stop()
            ;({ stop } = stage.start())
            await clock.untilPending()
          }
          await runTo(ENDED_AT + after + SWEEP)
          expect((await read('job_1')).copyId !== null).toBe(n >= back)
        }
        // A finished copy is not repeated.
        const before = stage.host.requests.length
        await runTo(ENDED_AT + 25 * HOUR)
        expect(stage.host.requests).toHaveLength(before)
      },
    ),
    { numRuns: 4 },
  )
})

/** A host that announces the length of each result and sends the bytes only when `endAll` is called. */
async function openHoldingHost(sizes: readonly number[]) {
  const image = await makeImage()
  const held = new Map<ServerResponse, number>()
  const most = { bytes: 0 }
  const stage = await openStage((response, path) => {
    const size = sizes[Number(path.slice(1))] ?? 0
    held.set(response, size)
    most.bytes = Math.max(
      most.bytes,
      [...held.values()].reduce((sum, one) => sum + one, 0),
    )
    response.writeHead(200, { 'content-length': size }).flushHeaders()
  })
  const jobs: Awaited<ReturnType<typeof stage.endJob>>[] = []
  for (const n of sizes.keys()) jobs.push(await stage.endJob(String(n), n % 2 === 0 ? 'a' : 'b'))
  /** Ends all held responses repeatedly until `isOver` returns true. */
  const endAll = async (isOver: () => Promise<boolean> | boolean) =>
    until(async () => {
      for (const [response, size] of held) {
        held.delete(response)
        response.write(image)
        response.end(Buffer.alloc(size - image.byteLength))
      }
      return isOver()
    })
  return { ...stage, jobs, most, held, endAll }
}

test('the bytes of all copies in progress, at the end of a job or later, stay within one limit', async () => {
  const sizes = fc.sample(fc.integer({ min: 15_000_000, max: 20_000_000 }), 6)
  const { start, clock, moveTo, jobs, most, endAll, read } = await openHoldingHost(sizes)
  const { mirror } = start()
  await clock.untilPending()
  // Half of the copies start when their jobs end; the other half are retries.
  for (const { job, links } of jobs.slice(0, 3)) void mirror.copySoon(job, links)
  moveTo(ENDED_AT + 20 * SECOND)
  await endAll(async () => {
    const ends = await Promise.all(jobs.map(async ({ job }) => read(job.id)))
    return ends.every(({ copyId }) => copyId !== null)
  })
  expect(most.bytes).toBeLessThanOrEqual(PERMITS)
})

test('a copy counts with its announced length, so that many small copies run concurrently', async () => {
  const { start, jobs, held, endAll } = await openHoldingHost(Array.from({ length: 8 }, () => 100_000))
  const { mirror } = start()
  const ids: (string | null)[] = []
  for (const { job, links } of jobs) void mirror.copySoon(job, links).then(({ copyId }) => ids.push(copyId))
  await until(() => held.size === 8)
  await endAll(() => ids.length === 8)
  expect(ids).not.toContain(null)
})
