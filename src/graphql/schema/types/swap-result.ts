import { GatewayError } from '../../../domain/errors.ts'
import type { StoredImage } from '../../../domain/image.ts'
import { bestLink, linksExpireAt } from '../../../domain/links.ts'
import type { SwapLinks } from '../../../domain/swap-job.ts'
import { imageAddressEndsAt, MAX_WIDTH } from '../../../jobs/images/image-addresses.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'
import type { Context } from '../context.ts'

const SwapImageFormat = builder.enumType('SwapImageFormat', {
  values: { JPEG: { value: 'image/jpeg' }, PNG: { value: 'image/png' }, WEBP: { value: 'image/webp' } } as const,
})

const SwapResultCopy = builder.objectRef<StoredImage>('SwapResultCopy').implement({
  extensions: declareCacheable('stored'),
  fields: (t) => ({
    url: t.field({
      type: 'URL',
      description:
        '`width` scales the image down and keeps its proportions; it is rounded up to 64, 128, 256, 512, 1024, 2048 or 4096 pixels, and an image is never enlarged. `format` re-encodes the image.',
      args: { width: t.arg.int(), format: t.arg({ type: SwapImageFormat }) },
      resolve: (copy, { width, format }, { useCases }) => {
        if (width != null && (width < 1 || width > MAX_WIDTH)) {
          throw new GatewayError('INVALID_INPUT', `width must be from 1 to ${MAX_WIDTH}.`)
        }
        return useCases.addressOfImage(copy, { width: width ?? null, type: format ?? copy.contentType })
      },
    }),
    contentType: t.exposeString('contentType'),
    width: t.int({ resolve: ({ width }) => width ?? 0 }),
    height: t.int({ resolve: ({ height }) => height ?? 0 }),
    byteLength: t.exposeInt('byteLength'),
    sha256: t.string({ resolve: ({ sha256 }) => sha256 ?? '' }),
  }),
})

/** A result's links, and its copy or why there is none. */
interface Result {
  readonly links: SwapLinks
  readonly copyId: string | null
  readonly mirrorFailure: string | null
}

const SwapProvenance = builder.objectRef<{ readonly digitalSourceType: string }>('SwapProvenance').implement({
  extensions: declareCacheable('stored'),
  fields: (t) => ({
    digitalSourceType: t.expose('digitalSourceType', {
      type: 'URL',
      description:
        'IPTC digital source type, for example http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia.',
    }),
  }),
})

/** Calls `use` with the finished copy of a result, or null. Synchronous if it has none, to save a promise. */
function withCopy<T>({ copyId }: Result, { loaders }: Context, use: (copy: StoredImage | null) => T): T | Promise<T> {
  if (copyId === null) return use(null)
  return loaders.image.load(copyId).then((copy) => use(copy?.status === 'READY' ? copy : null))
}

export const SwapResult = builder.objectRef<Result>('SwapResult').implement({
  extensions: declareCacheable('stored'),
  description: 'The image that a swap produced.',
  fields: (t) => ({
    url: t.field({
      type: 'URL',
      nullable: true,
      description:
        "The best URL at the moment: the gateway's copy, else the CDN, else Discord. Null if none works any more.",
      resolve: (result, _args, context) =>
        withCopy(result, context, (copy) =>
          copy ? context.useCases.addressOfImage(copy, {}) : bestLink(result.links, context.useCases.now()),
        ),
    }),
    expiresAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When `url` expires, if known. Query the job again for a new URL.',
      resolve: (result, _args, context) => {
        const now = context.useCases.now()
        return withCopy(result, context, (copy) =>
          copy ? imageAddressEndsAt(now) : linksExpireAt([bestLink(result.links, now)]),
        )
      },
    }),
    copy: t.field({
      type: SwapResultCopy,
      nullable: true,
      description: "The gateway's copy of the result, which remains available after the upstream's links expire.",
      resolve: (result, _args, context) => withCopy(result, context, (copy) => copy),
    }),
    cdnImage: t.field({
      type: 'URL',
      nullable: true,
      description: "The upstream's `cdnImage`, unchanged.",
      resolve: ({ links }) => links.cdnImage,
    }),
    discordImage: t.field({
      type: 'URL',
      nullable: true,
      description: "The upstream's `discordImage`, unchanged. `linksExpireAt` says when it expires.",
      resolve: ({ links }) => links.discordImage,
    }),
    linksExpireAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When `discordImage` and a proxied `cdnImage` expire, as stated in the links.',
      resolve: ({ links }) => linksExpireAt([links.discordImage, links.cdnImage]),
    }),
    copyFailure: t.string({
      nullable: true,
      description: 'Why the last attempt to copy the result failed; null if there is a copy or no attempt failed.',
      resolve: ({ mirrorFailure }) => mirrorFailure,
    }),
    provenance: t.field({
      type: SwapProvenance,
      nullable: true,
      description:
        'How the image was made, as declared in the metadata of the copy and of every image made from it. Null if there is no copy.',
      resolve: (result, _args, context) =>
        withCopy(result, context, (copy) => {
          const digitalSourceType = copy?.digitalSourceType ?? null
          return digitalSourceType === null ? null : { digitalSourceType }
        }),
    }),
  }),
})
