import { describe, expect, test } from 'vitest'
import { createImageAddresses, imageAddressEndsAt, type ImageView } from '../../../src/jobs/images/image-addresses.ts'

const ID = `img_${'0'.repeat(26)}`
const ENDS_AT = 1_700_000_000_000
const VIEW: ImageView = { id: ID, type: 'image/jpeg', width: null }
const addresses = createImageAddresses('https://gateway.example/', ['the-old-secret-here'])

function parse(address: string, { parse: read } = addresses) {
  const { pathname, searchParams } = new URL(address)
  return read(pathname, searchParams)
}

describe('the signed address of an image', () => {
  test('is parsed back to the image, its view and its expiry', () => {
    const address = addresses.addressOf(VIEW, ENDS_AT)
    expect(address).toMatch(new RegExp(`^https://gateway\\.example/images/${ID}\\.jpg\\?e=[0-9a-f]+&s=[\\w-]{22}$`))
    expect(parse(address)).toEqual({ view: VIEW, endsAt: ENDS_AT })
  })

  test('rounds a width up to one of a few view widths, and does so again when it is parsed', () => {
    expect(parse(addresses.addressOf({ ...VIEW, width: 65 }, ENDS_AT))?.view.width).toBe(128)
    expect(parse(`https://gateway.example/images/${ID}.webp?w=65`)?.view.width).toBe(128)
    expect(parse(`https://gateway.example/images/${ID}.webp?w=4096`)?.view.width).toBe(4_096)
  })

  test('has no expiry if it is changed or unsigned', () => {
    const address = addresses.addressOf({ ...VIEW, width: 256 }, ENDS_AT)
    for (const [from, to] of [
      ['w=256', 'w=512'],
      ['.jpg', '.png'],
      ['e=6', 'e=7'],
      ['&s=', '&x=1&s='],
      [ID, `img_${'1'.repeat(26)}`],
    ] as const) {
      const changed = address.replace(from, to)
      expect(changed).not.toBe(address)
      expect(parse(changed)?.endsAt, changed).toBeNull()
    }
  })

  test.each([
    `/images/${ID}.gif`,
    `/images/${ID}`,
    '/images/img_short.jpg',
    `/images/${ID}.jpg?w=0`,
    `/images/${ID}.jpg?w=4097`,
    `/images/${ID}.jpg?w=1e3`,
    `/image/${ID}.jpg`,
  ])('is rejected if it is %s', (path) => {
    expect(parse(`https://gateway.example${path}`)).toBeNull()
  })

  test('stays valid after its secret is rotated, until that secret is removed', () => {
    const address = addresses.addressOf(VIEW, ENDS_AT)
    const rotated = createImageAddresses('https://gateway.example', ['the-new-secret-here', 'the-old-secret-here'])
    const removed = createImageAddresses('https://gateway.example', ['the-new-secret-here'])
    expect(parse(address, rotated)?.endsAt).toBe(ENDS_AT)
    expect(parse(address, removed)?.endsAt).toBeNull()
  })

  test('is the same for all requests within an hour, and is valid for 24 to 25 hours', () => {
    const ends = [ENDS_AT, ENDS_AT + 600_000].map(imageAddressEndsAt)
    expect(ends[0]).toBe(ends[1])
    expect((ends[0] ?? 0) - ENDS_AT).toBeGreaterThanOrEqual(24 * 3_600_000)
    expect((ends[0] ?? 0) - ENDS_AT).toBeLessThanOrEqual(25 * 3_600_000)
  })
})

test('the signed address of an upload is not valid for an image, nor that of an image for an upload', () => {
  const upload = new URL(addresses.uploadAddressOf(ID, ENDS_AT))
  expect(addresses.parseUpload(upload.pathname, upload.searchParams)).toEqual({ id: ID, endsAt: ENDS_AT })
  const image = new URL(addresses.addressOf(VIEW, ENDS_AT))
  expect(addresses.parseUpload(upload.pathname, image.searchParams)).toBeNull()
  expect(addresses.parseUpload(upload.pathname, new URLSearchParams())).toBeNull()
  expect(addresses.parse(image.pathname, upload.searchParams)?.endsAt).toBeNull()
})
