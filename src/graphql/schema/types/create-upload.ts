import type { StoredImage, StoredImageType } from '../../../domain/image.ts'
import { MAX_IMAGE_BYTES } from '../../../lib/image/image-limits.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'
import { declareCost } from '../field-cost.ts'
import { SwapInvalidInputError, SwapQuotaExceededError, SwapRateLimitedError, toInvalidInput } from './errors.ts'
import { SwapUploadContentType, SwapUploadType } from './upload.ts'

const SwapHeader = builder.objectRef<{ readonly name: string; readonly value: string }>('SwapHeader').implement({
  extensions: declareCacheable('never'),
  fields: (t) => ({ name: t.exposeString('name'), value: t.exposeString('value') }),
})

interface UploadTarget {
  readonly url: string
  readonly expiresAt: number
  readonly contentType: StoredImageType
  readonly byteLength: number
}

const SwapUploadTarget = builder.objectRef<UploadTarget>('SwapUploadTarget').implement({
  extensions: declareCacheable('never'),
  description: 'Send the file with PUT to `url`, with exactly these headers, before `expiresAt`.',
  fields: (t) => ({
    url: t.expose('url', { type: 'URL' }),
    headers: t.field({
      type: [SwapHeader],
      extensions: declareCost({ listSize: { assumedSize: 2 } }),
      resolve: ({ contentType, byteLength }) => [
        { name: 'Content-Type', value: contentType },
        { name: 'Content-Length', value: String(byteLength) },
      ],
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
  }),
})

const CreateSwapUploadSuccess = builder
  .objectRef<{ readonly upload: StoredImage; readonly put: UploadTarget | null }>('CreateSwapUploadSuccess')
  .implement({
    extensions: declareCacheable('never'),
    fields: (t) => ({
      upload: t.expose('upload', { type: SwapUploadType, extensions: declareCost({ nodes: 0 }) }),
      put: t.expose('put', {
        type: SwapUploadTarget,
        nullable: true,
        description: 'Where to send the file. Null if the gateway already has the image.',
      }),
    }),
  })

const CreateSwapUploadInput = builder.inputType('CreateSwapUploadInput', {
  fields: (t) => ({
    contentType: t.field({ type: SwapUploadContentType, required: true }),
    byteLength: t.int({ required: true }),
    sha256: t.string({
      description:
        'SHA-256 of the file in hexadecimal. If the tenant already has an image with this digest, that image is used and nothing has to be sent.',
    }),
  }),
})

const CreateSwapUploadResult = builder.unionType('CreateSwapUploadResult', {
  types: [CreateSwapUploadSuccess, SwapInvalidInputError, SwapRateLimitedError, SwapQuotaExceededError],
  resolveType: (value) => {
    if ('upload' in value) return CreateSwapUploadSuccess
    if ('issues' in value) return SwapInvalidInputError
    return 'limit' in value ? SwapRateLimitedError : SwapQuotaExceededError
  },
})

const ISSUES = {
  tooLarge: {
    path: ['input', 'byteLength'],
    code: 'IMAGE_TOO_LARGE',
    message: `An image may have at most ${MAX_IMAGE_BYTES / 1e6} MB.`,
  },
  empty: { path: ['input', 'byteLength'], code: 'OUT_OF_RANGE', message: 'An image must have at least one byte.' },
  noDigest: { path: ['input', 'sha256'], code: 'OUT_OF_RANGE', message: 'A SHA-256 must have 64 hexadecimal digits.' },
} as const

builder.mutationField('createSwapUpload', (t) =>
  t.field({
    type: CreateSwapUploadResult,
    description: 'Reserves an upload and returns the URL to PUT the image to. Use its id as `uploadId`.',
    extensions: declareCost({ nodes: 1 }),
    args: { input: t.arg({ type: CreateSwapUploadInput, required: true }) },
    resolve: async (_root, { input }, { viewer, useCases }) => {
      const { contentType, byteLength, sha256 = null } = input
      const outcome = await useCases.uploads.reserve(viewer, { contentType, byteLength, sha256 })
      if (outcome.kind === 'reserved') {
        const { upload, put } = outcome
        return { upload, put: put && { ...put, contentType: upload.contentType, byteLength: upload.byteLength } }
      }
      return toInvalidInput([ISSUES[outcome.kind]])
    },
  }),
)
