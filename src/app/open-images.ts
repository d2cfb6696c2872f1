import type { Authenticate, Viewer } from '../auth/viewer.ts'
import type { BlobStore } from '../blob/blob-store.ts'
import { openBlobStore } from '../blob/open.ts'
import type { Config } from '../config/config.ts'
import { SettingError } from '../config/env.ts'
import type { Secrets } from '../config/secrets.ts'
import type { UseCases } from '../graphql/schema/context.ts'
import { createImageHandler } from '../http/images.ts'
import type { Handlers } from '../http/router.ts'
import { createUploadHandler } from '../http/uploads.ts'
import type { ImageCodec } from '../images/image-codec.ts'
import { createForgetter, type Forgetter } from '../jobs/forget-swaps.ts'
import { createImageAddresses, type ImageAddresses, imageAddressEndsAt } from '../jobs/images/image-addresses.ts'
import { ImageLibrary } from '../jobs/images/image-library.ts'
import { type Mirror, openMirror } from '../jobs/images/mirror-result.ts'
import { createUploads } from '../jobs/images/uploads.ts'
import { lazy } from '../lib/async/lazy.ts'
import type { ImageStore } from '../store/image-store.ts'
import type { KeySeal } from '../store/job-store.ts'
import type { Storage } from './open-storage.ts'
import type { Runtime } from './runtime.ts'
import { isStorable } from '../domain/storable.ts'
import { openResultSource } from '../upstream/result-download.ts'

export interface ImagesParts {
  readonly runtime: Runtime
  readonly storage: Pick<Storage, 'store' | 'images' | 'limiter'>
  readonly publicUrl: string
  /** Hosts that results may be downloaded from even if their address is private. */
  readonly allowedHosts: readonly string[]
  readonly seal: KeySeal
  readonly authenticate: Authenticate
}

/** Everything about images: uploads, copies of results, their addresses and their erasure. */
export interface Images {
  readonly addresses: ImageAddresses
  readonly forgetter: Forgetter
  readonly mirror: Mirror
  readonly useCases: Pick<UseCases, 'uploads' | 'forgetter' | 'findUploads' | 'findImages' | 'addressOfImage'>
  readonly handlers: Pick<Handlers, 'image' | 'upload'>
  /** Size of all stored images; null until they have been counted. */
  storedBytes(): number | null
  /** Loads the image codec in the background, so that the first image does not wait for it. */
  warmUp(): void
  close(): Promise<void>
}

export function openImages(parts: ImagesParts): Images {
  const { publicUrl, allowedHosts, authenticate } = parts
  const { config, secrets, background, telemetry, clock, stopping } = parts.runtime
  const { store, images, limiter } = parts.storage
  const now = () => clock.now()
  const addresses = createImageAddresses(publicUrl, secrets.gatewaySecrets)
  const blobs = openBlobs(config, secrets)
  const { codec, load } = createLazyCodec()
  const library = new ImageLibrary({ images, blobs, codec, clock })
  const source = openResultSource({ allowedHosts })
  const uploads = createUploads({ images, library, codec, addresses, telemetry, clock })
  const forgetter = createForgetter({ store, images, library, seal: parts.seal, clock })
  const mirror = openMirror({ store, images, library, codec, source, background, telemetry, clock, stopping })
  const { findImage } = images
  return {
    addresses,
    forgetter,
    mirror,
    useCases: {
      uploads,
      forgetter,
      findUploads: async (viewer, ids) => findUploads(images, viewer, ids),
      findImages: async (viewer, ids) => images.findOwnImages(viewer.tenant, ids),
      addressOfImage: ({ id, contentType }, { type = contentType, width = null }) =>
        addresses.addressOf({ id, type, width }, imageAddressEndsAt(now())),
    },
    storedBytes: () => library.storedBytes,
    warmUp: () => background.run('load the image codec', load),
    close: () => source.close(),
    handlers: {
      upload: createUploadHandler({ addresses, uploads, clock }),
      image: createImageHandler({ addresses, findImage, library, authenticate, limiter, now }),
    },
  }
}

/** Loads the codec and its native library on first use. */
function createLazyCodec() {
  const load = lazy(async () => (await import('../images/sharp.ts')).createSharpCodec())
  const codec: ImageCodec = {
    clean: async (...args) => (await load()).clean(...args),
    transform: async (...args) => (await load()).transform(...args),
  }
  return { codec, load }
}

async function findUploads(images: ImageStore, viewer: Viewer, ids: readonly string[]) {
  const storable = ids.filter(isStorable)
  const isAllowed = viewer.jobIds === null && storable.length > 0
  const found = isAllowed ? await images.findOwnImages(viewer.tenant, storable) : []
  return ids.map((id) => found.find((image) => image?.id === id && image.kind === 'UPLOAD') ?? null)
}

/** @throws {SettingError} if BLOB_URL cannot be used. */
function openBlobs({ blobUrl }: Config, { blobCredentials }: Secrets): BlobStore {
  try {
    return openBlobStore(blobUrl, blobCredentials)
  } catch (error) {
    throw error instanceof TypeError ? new SettingError('BLOB_URL', `cannot be used. ${error.message}`) : error
  }
}
