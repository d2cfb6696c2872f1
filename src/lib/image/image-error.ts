export type ImageProblem = 'TYPE_NOT_ALLOWED' | 'TOO_LARGE' | 'NOT_READABLE'

/** An image that cannot be used. The message is a predicate without a full stop: "is a GIF image, …". */
export class ImageError extends Error {
  override readonly name = 'ImageError'
  readonly code: ImageProblem

  constructor(code: ImageProblem, predicate: string, cause?: unknown) {
    super(predicate, { cause })
    this.code = code
  }
}

export const CUT_SHORT = 'could not be read: it is cut short'
