import { describe, expect, test } from 'vitest'
import { isNoAccountsText, toFailure } from '../../src/upstream/failure-texts.ts'

const NO_FACE = 'No usable face was found in'
const NOT_LOADED = 'The upstream could not load'
const TOO_LARGE = 'The upstream rejects as too large:'
const REFUSED = 'The upstream refuses the content of'

describe('a failure text of the upstream', () => {
  test.each([
    ['No face was found in the target image.', 'FACE_NOT_FOUND', `${NO_FACE} the target image.`],
    ['No face was found in the face image.', 'FACE_NOT_FOUND', `${NO_FACE} the swap image.`],
    ['no face detected', 'FACE_NOT_FOUND', `${NO_FACE} one of the images.`],
    ['no face', 'FACE_NOT_FOUND', `${NO_FACE} one of the images.`],
    ['Error: could not detect a face in the source image', 'FACE_NOT_FOUND', `${NO_FACE} the swap image.`],
    ['Face not found', 'FACE_NOT_FOUND', `${NO_FACE} one of the images.`],
    ['The face image could not be read: truncated', 'IMAGE_NOT_READABLE', `${NOT_LOADED} the swap image.`],
    ['The target image could not be downloaded: 404', 'IMAGE_NOT_READABLE', `${NOT_LOADED} the target image.`],
    ['cannot read the target image', 'IMAGE_NOT_READABLE', `${NOT_LOADED} the target image.`],
    ['failed to download image', 'IMAGE_NOT_READABLE', `${NOT_LOADED} one of the images.`],
    ['Invalid image format', 'IMAGE_NOT_READABLE', `${NOT_LOADED} one of the images.`],
    ['The target image is too large: 81 megapixels', 'IMAGE_NOT_READABLE', `${TOO_LARGE} the target image.`],
    ['Image size exceeds 10 MB', 'IMAGE_NOT_READABLE', `${TOO_LARGE} one of the images.`],
    ['NSFW content', 'CONTENT_REFUSED', `${REFUSED} one of the images.`],
    ['Sensitive content detected in the target image.', 'CONTENT_REFUSED', `${REFUSED} the target image.`],
    ['The image was rejected by content moderation', 'CONTENT_REFUSED', `${REFUSED} one of the images.`],
    ['Content policy violation', 'CONTENT_REFUSED', `${REFUSED} one of the images.`],
    ['', 'UPSTREAM_FAILED', 'The upstream could not finish the swap.'],
    ['<script>alert(1)</script>', 'UPSTREAM_FAILED', 'The upstream could not finish the swap.'],
    ['The engine is out of memory', 'UPSTREAM_FAILED', 'The upstream could not finish the swap.'],
  ])('%j gets the code %s and a message of the gateway', (text, code, message) => {
    expect(toFailure(text)).toMatchObject({ code, message })
  })
})

/** Texts that a caller can place in an upstream message by an address, a redirect or a file name. */
const CHOSEN = [
  'insensitive.example',
  'www.insensitive-photos.internal',
  'nsfw.example:8443',
  'no-face.internal',
  'cdn.pixels.internal',
  'banned.internal',
  'nsfw',
  'sensitive',
  'https://a.example/nsfw%20content?no+face=found&too=large',
  'https://a.example/?q=content policy violation',
  '/srv/nsfw/no face.jpg',
  'nsfw content.jpg',
  "'no face found'",
  'exceeds.example',
  'No available accounts',
  '人像.example',
]

describe.each(CHOSEN)('a caller who chooses the text %s', (chosen) => {
  test.each([
    (host: string) => `The target image could not be downloaded: the address of ${host} is not allowed.`,
    (host: string) => `The target image could not be downloaded: 404 from ${host}.`,
    (host: string) => `cannot read the target image ${host}`,
  ])('does not change the code or the message of an image that cannot be loaded', (say) => {
    expect(toFailure(say(chosen))).toEqual({
      code: 'IMAGE_NOT_READABLE',
      message: `${NOT_LOADED} the target image.`,
      retryable: false,
    })
  })

  test('cannot choose the code of an unknown text, or make a final refusal retryable', () => {
    for (const text of [`Something is wrong with ${chosen}`, `Job of ${chosen} stopped`, `500 ${chosen}`]) {
      expect(toFailure(text).code).toBe('UPSTREAM_FAILED')
      expect(isNoAccountsText(text)).toBe(false)
    }
  })
})

test('a failure text of a megabyte is classified by its beginning', () => {
  expect(toFailure(`No face was found. ${'no face '.repeat(131_072)}`).code).toBe('FACE_NOT_FOUND')
  expect(toFailure(`${'x '.repeat(524_288)}no face found`).code).toBe('UPSTREAM_FAILED')
})
