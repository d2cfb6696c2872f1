/**
 * Copies results to the gateway's storage while the upstream's links work. A failed copy does not change the job's
 * status: the job and the log say why, and callers get the upstream's links until they expire.
 */
import { linkExpiresAt } from '../../domain/links.ts'
import type { SwapJob, SwapLinks } from '../../domain/swap-job.ts'
import { type ImageCodec, ImageRejectedError } from '../../images/image-codec.ts'
import type { Background } from '../../lib/async/background.ts'
import type { Clock } from '../../lib/time/clock.ts'
import { createId } from '../../lib/crypto/ids.ts'
import { MAX_IMAGE_BYTES } from '../../lib/image/image-limits.ts'
import { Semaphore } from '../../lib/async/semaphore.ts'
import { sha256OfLarge } from '../../lib/crypto/sha256.ts'
import type { ImageStore } from '../../store/image-store.ts'
import type { JobStore } from '../../store/job-store.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import { type ResultSource, ResultUnavailableError } from '../../upstream/result-source.ts'
import type { ImageLibrary } from './image-library.ts'

/** How long the end of a job waits for its copy, so that most callers get the address of the copy at once. */
const AWAITED_MS = 5_000
const SWEEP_EVERY_MS = 5_000
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** Delays of the retries of a failed copy, counted from the end of the job. */
const RETRY_AFTER_MS = [
  15_000,
  MINUTE_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  24 * HOUR_MS,
] as const
const [FIRST_RETRY_MS] = RETRY_AFTER_MS
const LAST_RETRY_MS = 24 * HOUR_MS
/** How long after its due time the last retry is still made, if no process ran then. */
const CATCH_UP_MS = HOUR_MS
const PAGE = 100
/** Concurrent retries; few, so that they do not delay the copies of jobs that end now. */
const MAX_RETRIES_AT_ONCE = 2
/** Total size of the copies in progress, retries included. A copy of unknown length counts as the largest image. */
const MAX_COPY_BYTES = 4 * MAX_IMAGE_BYTES
const DAY_MS = 24 * 60 * 60 * 1_000

export interface MirrorParts {
  readonly store: Pick<JobStore, 'listWithoutCopy' | 'recordMirror'>
  readonly images: Pick<ImageStore, 'addImage' | 'expireImage'>
  readonly library: Pick<ImageLibrary, 'putBytes'>
  readonly codec: Pick<ImageCodec, 'clean'>
  readonly source: ResultSource
  readonly background: Background
  readonly telemetry: Pick<Telemetry, 'resultCopied' | 'mirrorFailed' | 'backgroundFailed'>
  readonly clock: Clock
  readonly stopping: AbortSignal
}

/** The outcome of a copy within 5 s. At most one is set; if neither is, the outcome is recorded at the job later. */
export interface CopyOutcome {
  readonly copyId: string | null
  readonly mirrorFailure: string | null
}

const NOT_YET: CopyOutcome = { copyId: null, mirrorFailure: null }

/** Opens the mirror, which at once starts to make the copies that a crash prevented. */
export function openMirror(parts: MirrorParts): Mirror {
  const mirror = new Mirror(parts)
  parts.background.run('copy results', () => mirror.retryUntilStopped())
  return mirror
}

/** Copies results: `copySoon` at the end of a job, `retryUntilStopped` on a schedule. */
export class Mirror {
  readonly #parts: MirrorParts
  /** Jobs whose copy is in progress in this process. */
  readonly #inProgress = new Set<string>()
  readonly #copying = new Semaphore(MAX_COPY_BYTES)
  readonly #retrying = new Semaphore(MAX_RETRIES_AT_ONCE)

  constructor(parts: MirrorParts) {
    this.#parts = parts
  }

  /** Copies the result of a job that has just ended; waits for the copy for up to 5 s. */
  async copySoon(job: SwapJob, links: SwapLinks): Promise<CopyOutcome> {
    if (this.#inProgress.has(job.id)) return NOT_YET
    this.#inProgress.add(job.id)
    const { store, background, clock } = this.#parts
    let isLate = false
    const startedAt = clock.now()
    const making = this.#copy(job, links)
      .then(async (copyId) => {
        if (isLate) await this.#record(job, copyId)
        return { copyId, mirrorFailure: null }
      })
      .catch(async (error: unknown) => {
        const failure = this.#reportFailure(job, error, startedAt)
        if (isLate && failure !== null) await store.recordMirror(job.id, { failure })
        return { copyId: null, mirrorFailure: failure }
      })
      .finally(() => this.#inProgress.delete(job.id))
    return new Promise((resolve) => {
      const cancel = clock.after(AWAITED_MS, () => {
        isLate = true
        resolve(NOT_YET)
      })
      background.run('copy a result', async () => {
        resolve(await making)
        cancel()
      })
    })
  }

  /** Retries failed copies on their schedule; resolves when the gateway stops. */
  async retryUntilStopped(): Promise<void> {
    const { telemetry, clock, stopping } = this.#parts
    /** Retries due before this time were made; null at the start: all copies missing from the last day are due. */
    let servedUntil: number | null = null
    while (!stopping.aborted) {
      try {
        const now = clock.now()
        if (servedUntil === null) await this.#retryEndedIn(now - LAST_RETRY_MS - CATCH_UP_MS, now - FIRST_RETRY_MS)
        else for (const delayMs of RETRY_AFTER_MS) await this.#retryEndedIn(servedUntil - delayMs, now - delayMs)
        servedUntil = now
      } catch (error) {
        telemetry.backgroundFailed('copy results', error)
      }
      await clock.delay(SWEEP_EVERY_MS, stopping).catch(() => null)
    }
  }

  /** Retries the jobs without a copy that ended from `from` until `before`. */
  async #retryEndedIn(from: number, before: number): Promise<void> {
    const { store, stopping } = this.#parts
    const seen = new Set<string>()
    for (let start = from; ;) {
      const page = await store.listWithoutCopy(start, before, PAGE)
      const due = page.filter(({ id }) => !seen.has(id))
      for (const { id } of due) seen.add(id)
      await Promise.all(due.map(async (job) => this.#retrying.run(job.tenant, 1, async () => this.#retry(job))))
      const last = page.at(-1)?.finishedAt ?? null
      if (page.length < PAGE || last === null || stopping.aborted) return
      start = due.length > 0 ? last : last + 1
    }
  }

  async #retry(job: SwapJob): Promise<void> {
    const { links } = job
    if (links === null || this.#inProgress.has(job.id)) return
    this.#inProgress.add(job.id)
    const startedAt = this.#parts.clock.now()
    try {
      await this.#record(job, await this.#copy(job, links))
    } catch (error) {
      const failure = this.#reportFailure(job, error, startedAt)
      if (failure !== null) await this.#parts.store.recordMirror(job.id, { failure })
    } finally {
      this.#inProgress.delete(job.id)
    }
  }

  /** @returns the id of the copy. */
  async #copy(job: SwapJob, links: SwapLinks): Promise<string> {
    let failure = new ResultUnavailableError(
      'LINKS_EXPIRED',
      'is not available any more: its links have expired',
      false,
    )
    for (const link of [links.cdnImage, links.discordImage]) {
      if (link === null || (linkExpiresAt(link) ?? Infinity) <= this.#parts.clock.now()) continue
      try {
        return await this.#copying.run(job.tenant, MAX_IMAGE_BYTES, async (shrinkTo) =>
          this.#copyFrom(link, job, shrinkTo),
        )
      } catch (error) {
        if (!(error instanceof ResultUnavailableError)) throw error
        if (!failure.isTransient) failure = error
      }
    }
    throw failure
  }

  async #copyFrom(link: string, job: SwapJob, onLength: (byteLength: number) => void): Promise<string> {
    const { images, library, codec, source, telemetry, clock, stopping } = this.#parts
    stopping.throwIfAborted()
    const startedAt = clock.now()
    const bytes = await source.download(link, onLength)
    const image = await codec.clean(bytes, 'COPY', job.tenant)
    const now = clock.now()
    const id = createId('img', now)
    const stored = await library.putBytes(id, image, await sha256OfLarge(bytes))
    await images.addImage({
      id,
      tenant: job.tenant,
      kind: 'COPY',
      status: 'READY',
      ...stored,
      digitalSourceType: image.digitalSourceType,
      rejection: null,
      createdAt: now,
      // Expires with its job, and also if no job ever names it.
      purgeAt: now + Math.max(1, job.keepDays) * DAY_MS + DAY_MS,
    })
    telemetry.resultCopied(job, { startedAt, endedAt: clock.now() })
    return id
  }

  async #record(job: SwapJob, copyId: string): Promise<void> {
    const { store, images, clock } = this.#parts
    // Another process was faster, or the job has been forgotten meanwhile.
    if (!(await store.recordMirror(job.id, { copyId }))) await images.expireImage(copyId, clock.now())
  }

  /** @returns why there will be no copy; null if it is retried. */
  #reportFailure(job: SwapJob, error: unknown, startedAt: number): string | null {
    const { telemetry, clock, stopping } = this.#parts
    // Retried after the next start.
    if (stopping.aborted) return null
    const isKnown = error instanceof ResultUnavailableError || error instanceof ImageRejectedError
    const reason = `The result ${isKnown ? error.message : 'could not be stored'}.`
    const isLast = job.finishedAt !== null && clock.now() >= job.finishedAt + LAST_RETRY_MS
    const isFinal =
      isLast || error instanceof ImageRejectedError || (error instanceof ResultUnavailableError && !error.isTransient)
    telemetry.mirrorFailed(job, { code: toCode(error), reason, isFinal }, { startedAt, endedAt: clock.now() })
    return isFinal ? reason : null
  }
}

function toCode(error: unknown): string {
  if (error instanceof ResultUnavailableError) return error.code
  return error instanceof ImageRejectedError ? 'NOT_READABLE' : 'NOT_STORED'
}
