/**
 * Copies a result while its links work. A copy that cannot be made changes nothing about the job's status: the job and
 * the log say why, and the upstream's links are handed out as long as they last.
 */
import { linkExpiresAt } from '../domain/links.ts'
import type { SwapJob, SwapLinks } from '../domain/swap-job.ts'
import { type ImageCodec, ImageRejected } from '../images/image-codec.ts'
import type { Background } from '../lib/background.ts'
import type { Clock } from '../lib/clock.ts'
import { createId } from '../lib/ids.ts'
import { Semaphore } from '../lib/semaphore.ts'
import type { ImageStore } from '../store/image-store.ts'
import type { JobStore } from '../store/job-store.ts'
import type { Telemetry } from '../telemetry/events.ts'
import { type ResultSource, ResultUnavailable } from '../upstream/result-source.ts'
import type { KeptImages } from './kept-images.ts'

/** How long the end of a job waits for its copy: usually it carries the lasting address. */
const AWAITED_MS = 5_000
const MAX_TRIES = 3
const SWEEP_EVERY_MS = 5_000
/** A job that ended is left to whoever ended it for so long, and given up after a day. */
const SWEEP_AFTER_MS = 15_000
const GIVEN_UP_AFTER_MS = 24 * 60 * 60 * 1_000
/** Copies being made: each holds the bytes of an image. */
const MAX_AT_ONCE = 4
const DAY_MS = 24 * 60 * 60 * 1_000

export interface MirrorParts {
  readonly store: Pick<JobStore, 'listWithoutCopy' | 'noteMirror'>
  readonly images: Pick<ImageStore, 'addImage' | 'expireImage'>
  readonly kept: Pick<KeptImages, 'putBytes'>
  readonly codec: Pick<ImageCodec, 'clean'>
  readonly source: ResultSource
  readonly background: Background
  readonly telemetry: Pick<Telemetry, 'mirrorFailed' | 'backgroundFailed'>
  readonly clock: Clock
  readonly stopping: AbortSignal
}

/** What became of a copy within seconds: at most one is set. Neither: it is noted at the job once it is known. */
export interface CopyOutcome {
  readonly copyId: string | null
  readonly mirrorFailure: string | null
}

export interface Mirror {
  copySoon(job: SwapJob, links: SwapLinks): Promise<CopyOutcome>
}

const NOT_YET: CopyOutcome = { copyId: null, mirrorFailure: null }

/** Begins at once to look after what a crash has left without a copy. */
export function openMirror(parts: MirrorParts): Mirror {
  const { store, images, kept, codec, source, background, telemetry, clock, stopping } = parts
  /** Jobs whose copy is being made here, and tries that have failed. */
  const underWay = new Set<string>()
  const tries = new Map<string, number>()
  const copying = new Semaphore(MAX_AT_ONCE)

  const download = async (links: SwapLinks): Promise<Uint8Array> => {
    let failure = new ResultUnavailable('LINKS_EXPIRED', 'is not available any more: its links have expired', false)
    for (const link of [links.cdnImage, links.discordImage]) {
      if (link === null || (linkExpiresAt(link) ?? Infinity) <= clock.now()) continue
      try {
        return await source.download(link)
      } catch (error) {
        if (!(error instanceof ResultUnavailable)) throw error
        if (!failure.isTransient) failure = error
      }
    }
    throw failure
  }

  const copy = async (job: SwapJob, links: SwapLinks): Promise<string> => {
    const bytes = await download(links)
    const image = await codec.clean(bytes, 'COPY')
    const now = clock.now()
    const id = createId('img', now)
    const { byteLength, sha256, sourceSha256 } = await kept.putBytes(id, image, bytes)
    const { contentType, width, height, digitalSourceType } = image
    await images.addImage({
      id,
      tenant: job.tenant,
      kind: 'COPY',
      status: 'READY',
      contentType,
      byteLength,
      width,
      height,
      sha256,
      sourceSha256,
      digitalSourceType,
      rejection: null,
      createdAt: now,
      // Goes with its job, and is not left behind by one that never named it.
      purgeAt: now + Math.max(1, job.keepDays) * DAY_MS + DAY_MS,
    })
    return id
  }

  const note = async (job: SwapJob, copyId: string) => {
    // Another process was faster, or the job has been forgotten meanwhile.
    if (!(await store.noteMirror(job.id, { copyId }))) await images.expireImage(copyId, clock.now())
  }

  /** @returns why there will be no copy; null if it is tried again. */
  const fail = (job: SwapJob, error: unknown): string | null => {
    const isKnown = error instanceof ResultUnavailable || error instanceof ImageRejected
    const reason = `The result ${isKnown ? error.message : 'could not be stored'}.`
    const count = (tries.get(job.id) ?? 0) + 1
    const isFinal =
      count >= MAX_TRIES || error instanceof ImageRejected || (error instanceof ResultUnavailable && !error.isTransient)
    telemetry.mirrorFailed(job, { code: toCode(error), reason, isFinal })
    tries.set(job.id, count)
    if (!isFinal) return null
    tries.delete(job.id)
    return reason
  }

  const tryAgain = async (job: SwapJob) => {
    const { links } = job
    if (links === null || underWay.has(job.id)) return
    underWay.add(job.id)
    try {
      await note(job, await copying.run(1, async () => copy(job, links)))
      tries.delete(job.id)
    } catch (error) {
      const failure = fail(job, error)
      if (failure !== null) await store.noteMirror(job.id, { failure })
    } finally {
      underWay.delete(job.id)
    }
  }

  background.run('keep copies of results', async () => {
    while (!stopping.aborted) {
      try {
        const now = clock.now()
        const left = await store.listWithoutCopy(now - GIVEN_UP_AFTER_MS, now - SWEEP_AFTER_MS, MAX_AT_ONCE)
        await Promise.all(left.map(tryAgain))
      } catch (error) {
        telemetry.backgroundFailed('keep copies of results', error)
      }
      await clock.delay(SWEEP_EVERY_MS, stopping).catch(() => null)
    }
  })

  return {
    copySoon: async (job, links) => {
      if (underWay.has(job.id)) return NOT_YET
      underWay.add(job.id)
      let isLate = false
      const making = copying
        .run(1, async () => copy(job, links))
        .then(async (copyId) => {
          if (isLate) await note(job, copyId)
          return { copyId, mirrorFailure: null }
        })
        .catch(async (error: unknown) => {
          const failure = fail(job, error)
          if (isLate && failure !== null) await store.noteMirror(job.id, { failure })
          return { copyId: null, mirrorFailure: failure }
        })
        .finally(() => underWay.delete(job.id))
      return new Promise((resolve) => {
        const cancel = clock.after(AWAITED_MS, () => {
          isLate = true
          resolve(NOT_YET)
        })
        background.run('keep a copy of a result', async () => {
          resolve(await making)
          cancel()
        })
      })
    },
  }
}

function toCode(error: unknown): string {
  if (error instanceof ResultUnavailable) return error.code
  return error instanceof ImageRejected ? 'NOT_READABLE' : 'NOT_STORED'
}
