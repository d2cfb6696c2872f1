import type { SwapLinks } from './swap-job.ts'

/**
 * When an upstream link expires, in epoch milliseconds, read from the link itself (`ex`, hex Unix seconds; upstream
 * contract, "Links, images, quota"). Null if the link states no expiry.
 */
export function linkExpiresAt(link: string): number | null {
  const ex = /[?&]ex=([0-9a-f]{1,10})(?:&|$)/i.exec(link)?.[1]
  return ex === undefined ? null : Number.parseInt(ex, 16) * 1_000
}

/** Whether the link exists and has not expired at `now`. A link without an expiry counts as alive. */
export function isLinkAlive(link: string | null, now: number): boolean {
  return link !== null && (linkExpiresAt(link) ?? Infinity) > now
}

/** The earliest expiry of the links; null if none states one. */
export function linksExpireAt(links: readonly (string | null)[]): number | null {
  const ends = links.flatMap((link) => (link === null ? [] : (linkExpiresAt(link) ?? [])))
  return ends.length === 0 ? null : Math.min(...ends)
}

/**
 * The link to return at `now`: the CDN's, which is reachable from everywhere, else Discord's; null if neither is alive.
 */
export function bestLink(links: SwapLinks, now: number): string | null {
  return [links.cdnImage, links.discordImage].find((link) => isLinkAlive(link, now)) ?? null
}
