/**
 * Limits of all untrusted images: uploads, downloads of the embedded upstream, and copies of results. The same limits
 * apply everywhere, and images are re-encoded to fit MAX_IMAGE_BYTES, so an image accepted once is accepted again.
 */
export const MAX_IMAGE_BYTES = 20_000_000
/** Total of all frames. 50-megapixel cameras write up to 8,272 × 6,200. */
export const MAX_IMAGE_PIXELS = 52_000_000
/** The limit of JPEG encoders (libjpeg). */
export const MAX_IMAGE_SIDE = 65_500
/** libvips searches for each frame from the first one: reading the header is quadratic in the number of frames. */
export const MAX_IMAGE_FRAMES = 1_000
