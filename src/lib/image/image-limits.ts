/**
 * The limits of every image from outside, the same at every entrance: uploads, downloads of the embedded upstream, and
 * copies of results. What one entrance accepts, the next one accepts as well: images are re-encoded to fit MAX_IMAGE_BYTES.
 */
export const MAX_IMAGE_BYTES = 20_000_000
/** All frames together. 50-megapixel cameras write up to 8,272 × 6,200. */
export const MAX_IMAGE_PIXELS = 52_000_000
/** What a JPEG can hold. */
export const MAX_IMAGE_SIDE = 65_500
/** libvips searches for each frame from the first one: reading the header costs the square of their number. */
export const MAX_IMAGE_FRAMES = 1_000
