import { describe, expect, test } from 'vitest'
import { bestLink, isLinkAlive, linkExpiresAt, linksExpireAt } from '../../src/domain/links.ts'

const NOW = 0x65_00_00_00 * 1_000
const ALIVE = 'https://discord.example.com/a.jpg?ex=65000001&is=1'
const EXPIRED = 'https://discord.example.com/a.jpg?is=1&ex=65000000'
const LASTING = 'https://cdn.example.com/a.jpg'

describe('the end of a link', () => {
  test.each<[string, string, number | null]>([
    ['is read from its parameter ex, hex Unix seconds', EXPIRED, NOW],
    ['is read from ex in upper case hex', 'https://a/?ex=6500000A', NOW + 10_000],
    ['is not known without ex', LASTING, null],
    ['is not known from ex that is not hex', 'https://a/?ex=never', null],
    ['is not known from another parameter that ends in ex', 'https://a/?hex=65000000', null],
    ['is not known from ex in the path', 'https://a/ex=65000000', null],
  ])('%s', (_what, link, end) => {
    expect(linkExpiresAt(link)).toBe(end)
  })

  test('of several links is the earliest known expiry', () => {
    expect(linksExpireAt([ALIVE, null, EXPIRED, LASTING])).toBe(NOW)
    expect(linksExpireAt([LASTING, null])).toBeNull()
    expect(linksExpireAt([])).toBeNull()
  })
})

test('a link is alive until its end, forever without one, and never if it is missing', () => {
  expect([ALIVE, EXPIRED, LASTING, null].map((link) => isLinkAlive(link, NOW))).toEqual([true, false, true, false])
})

test.each<[string, string | null, string | null, string | null]>([
  ['the CDN link if both work', LASTING, ALIVE, LASTING],
  ['the Discord link if the CDN link has expired', EXPIRED, ALIVE, ALIVE],
  ['the Discord link if there is no CDN link', null, ALIVE, ALIVE],
  ['no link if both have expired', EXPIRED, EXPIRED, null],
])('the best link is %s', (_what, cdnImage, discordImage, best) => {
  expect(bestLink({ cdnImage, discordImage }, NOW)).toBe(best)
})
