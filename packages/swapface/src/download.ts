/** Downloads one input image and checks that its first bytes are those of a JPEG, PNG or WebP. */
import {
  createDownload as createFileDownload,
  DownloadError,
  type DownloadOptions,
} from '../../../src/lib/net/download.ts'
import { findTypeProblem } from '../../../src/lib/image/image-type.ts'

export type { Download, DownloadOptions } from '../../../src/lib/net/download.ts'

/** An image that cannot be used. The message is a predicate without a full stop: "is a GIF image, …". */
export class ImageRefused extends Error {
  override readonly name = 'ImageRefused'
  /** IMAGE_TYPE_NOT_ALLOWED, or `IMAGE_` and the code of the download error. */
  readonly code: string

  constructor(code: string, predicate: string) {
    super(predicate)
    this.code = code
  }
}

/** @returns a download that throws ImageRefused for an unusable image, or the abort reason of its signal. */
export function createDownload(options: DownloadOptions): ReturnType<typeof createFileDownload> {
  const downloadFile = createFileDownload(options)
  return async (url, signal) => {
    try {
      const bytes = await downloadFile(url, signal)
      const problem = findTypeProblem(bytes)
      if (problem !== null) throw new ImageRefused('IMAGE_TYPE_NOT_ALLOWED', problem)
      return bytes
    } catch (error) {
      throw error instanceof DownloadError ? new ImageRefused(`IMAGE_${error.code}`, error.message) : error
    }
  }
}
