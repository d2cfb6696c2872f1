import type { SwapLinks } from './swap-job.ts'

/**
 * When a link of the upstream stops working, in epoch milliseconds: read from the link itself (`ex`, hex Unix
 * seconds; upstream contract, "Links, images, quota"). Null where the link does not say.
 */
export function linkExpiresAt(link: string): number | null {
  const ex = /[?&]ex=([0-9a-f]{1,10})(?:&|$)/i.exec(link)?.[1]
  return ex === undefined ? null : Number.parseInt(ex, 16) * 1_000
}

/** Whether there is a link, and it works at `now` as far as it says. */
export function isLinkAlive(link: string | null, now: number): boolean {
  return link !== null && (linkExpiresAt(link) ?? Infinity) > now
}

/** The earliest end among the links; null where none says. */
export function linksExpireAt(links: readonly (string | null)[]): number | null {
  const ends = links.flatMap((link) => (link === null ? [] : (linkExpiresAt(link) ?? [])))
  return ends.length === 0 ? null : Math.min(...ends)
}

/** The link to hand out at `now`: the CDN's, which is reachable from everywhere, else Discord's; null when both have ended. */
export function bestLink(links: SwapLinks, now: number): string | null {
  return [links.cdnImage, links.discordImage].find((link) => isLinkAlive(link, now)) ?? null
}
