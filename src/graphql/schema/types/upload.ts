import { IMAGE_STATUSES, type StoredImage } from '../../../domain/image.ts'
import { branded } from '../branded.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'

export const SwapUploadContentType = builder.enumType('SwapUploadContentType', {
  values: {
    IMAGE_JPEG: { value: 'image/jpeg' },
    IMAGE_PNG: { value: 'image/png' },
    IMAGE_WEBP: { value: 'image/webp' },
  } as const,
})

const SwapUploadStatus = builder.enumType('SwapUploadStatus', { values: IMAGE_STATUSES })

export const SwapUploadType = builder.node(builder.objectRef<StoredImage>('SwapUpload'), {
  extensions: { federation: '@key(fields: "id")', ...declareCacheable('never') },
  id: { resolve: (upload) => upload.id },
  loadMany: (ids, { loaders }) => ids.map(async (id) => branded('SwapUpload', await loaders.upload.load(id))),
  fields: (t) => ({
    status: t.expose('status', { type: SwapUploadStatus }),
    contentType: t.expose('contentType', { type: SwapUploadContentType }),
    byteLength: t.exposeInt('byteLength'),
    width: t.exposeInt('width', { nullable: true }),
    height: t.exposeInt('height', { nullable: true }),
    rejection: t.exposeString('rejection', { nullable: true, description: 'Why the upload was rejected.' }),
    purgeAt: t.expose('purgeAt', { type: 'DateTime' }),
  }),
})
