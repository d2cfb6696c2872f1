/** Maps the images that a caller names to the addresses that the upstream fetches. */
import type { Viewer } from '../auth/viewer.ts'
import { bestLink } from '../domain/links.ts'
import type { ImageOrigin } from '../domain/swap-job.ts'
import { type AddressGuard, type AddressRefusalReason, AddressRefusedError } from '../lib/net/address-guard.ts'
import type { Clock } from '../lib/time/clock.ts'
import type { ImageStore } from '../store/image-store.ts'
import type { JobStore } from '../store/job-store.ts'
import type { ImageInput, SwapInputIssue } from './create-swap-input.ts'
import type { ImageAddresses } from './images/image-addresses.ts'
import { findVisibleJobs } from './read-jobs.ts'

export interface InputImagesParts {
  readonly store: Pick<JobStore, 'findOwnJobs'>
  readonly images: Pick<ImageStore, 'extendImage' | 'findImage' | 'findOwnImages'>
  readonly addresses: Pick<ImageAddresses, 'addressOf'>
  /** Refuses addresses that are not allowed. */
  readonly guard: Pick<AddressGuard, 'checkUrl'>
  /** Whether the upstream can fetch from this gateway. */
  readonly isReachable: boolean
  /** How long an image must stay available to the upstream. */
  readonly neededForMs: number
  readonly clock: Pick<Clock, 'now'>
}

export interface InputImage {
  readonly url: string
  readonly origin: ImageOrigin
}

export type FindInputImage = (viewer: Viewer, given: ImageInput) => Promise<InputImage | Omit<SwapInputIssue, 'path'>>

const NO_ORIGIN: ImageOrigin = { uploadId: null, resultOf: null }

/** Returns why a caller's hook address is not allowed; null if it is. */
export function findHookIssue(guard: Pick<AddressGuard, 'checkUrl'>, hookUrl: string): SwapInputIssue | null {
  const issue = findRefusal(guard, hookUrl, 'A hook address')
  return issue && { ...issue, path: ['input', 'hookUrl'] }
}

function findRefusal(
  guard: Pick<AddressGuard, 'checkUrl'>,
  url: string,
  what: 'A hook address' | 'An image address',
): Omit<SwapInputIssue, 'path'> | null {
  try {
    guard.checkUrl(new URL(url))
    return null
  } catch (error) {
    if (!(error instanceof AddressRefusedError)) throw error
    return {
      code: error.reason === 'PORT' ? 'PORT_NOT_ALLOWED' : 'ADDRESS_NOT_ALLOWED',
      message: `${what} ${RULES[error.reason]}`,
    }
  }
}

const RULES: Readonly<Record<AddressRefusalReason, string>> = {
  SCHEME: 'must begin with http:// or https://.',
  CREDENTIALS: 'must not have a user name or a password.',
  PORT: 'must use port 80, port 443, or a port from 1024 up that no other protocol uses. The operator may allow other ports with ALLOWED_PRIVATE_HOSTS.',
  HOST: 'must be on the public internet. The operator may allow a private host with ALLOWED_PRIVATE_HOSTS.',
}

export function createFindInputImage(parts: InputImagesParts): FindInputImage {
  const { store, images, addresses, guard, isReachable, neededForMs, clock } = parts

  const fromAddress = (url: string): InputImage | Omit<SwapInputIssue, 'path'> => {
    return findRefusal(guard, url, 'An image address') ?? { url, origin: NO_ORIGIN }
  }

  const fromImage = async (
    imageId: string,
    origin: ImageOrigin,
  ): Promise<InputImage | Omit<SwapInputIssue, 'path'>> => {
    if (!isReachable) {
      const message =
        'The upstream cannot fetch images from this gateway: PUBLIC_URL has to be an address it can reach.'
      return { code: 'ADDRESS_NOT_ALLOWED', message }
    }
    const image = await images.findImage(imageId)
    if (image?.status !== 'READY') return NOT_READY
    const endsAt = clock.now() + neededForMs
    await images.extendImage(image.id, endsAt)
    return { url: addresses.addressOf({ id: image.id, type: image.contentType, width: null }, endsAt), origin }
  }

  return async (viewer, { url, uploadId, resultOf }) => {
    if (url != null) return fromAddress(url)
    if (uploadId != null) {
      const [upload] = await images.findOwnImages(viewer.tenant, [uploadId])
      return upload?.kind === 'UPLOAD' ? fromImage(upload.id, { uploadId, resultOf: null }) : NOT_READY
    }
    const [job] = await findVisibleJobs(store, viewer, [resultOf ?? ''])
    if (job?.status !== 'SUCCESS' || job.forgottenAt !== null) return NOT_SUCCESSFUL
    const origin = { uploadId: null, resultOf: job.id }
    if (job.copyId !== null && isReachable) return fromImage(job.copyId, origin)
    const link = job.links && bestLink(job.links, clock.now())
    return link === null ? NOT_SUCCESSFUL : { url: link, origin }
  }
}

const NOT_READY = {
  code: 'UPLOAD_NOT_READY',
  message: 'The upload does not exist, or its file has not been sent yet.',
} as const
const NOT_SUCCESSFUL = {
  code: 'JOB_NOT_SUCCESSFUL',
  message: 'The job does not exist, or it has no result.',
} as const
