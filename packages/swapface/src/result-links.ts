/**
 * The addresses of result images: what a link says and whether it is still
 * good. `discordImage` carries when it was issued (`is`), when it ends (`ex`)
 * and a signature over both and the path (`hm`); `cdnImage` has no parameters
 * and is good as long as results are kept. Both name the same file, which is
 * kept by day: `<yyyy-mm-dd>/<32 hex>.<jpg|png>`.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** Where a result is found: address paths, and the file's path below the results folder. */
export interface ResultPaths {
  readonly discord: string
  readonly cdn: string
  readonly file: string
}

export type LinkCheck =
  | { readonly verdict: 'good'; readonly file: string }
  | { readonly verdict: 'ended' | 'forged' | 'unknown' }

export interface ResultLinks {
  /** Names a fresh result; the names cannot be guessed. */
  create(extension: 'jpg' | 'png', now: number): ResultPaths
  /** Judges the path and the query (without "?") of a request. */
  check(path: string, query: string, now: number): LinkCheck
}

const DISCORD_PATH = /^\/attachments\/\d{19}\/\d{19}\/(?<name>[0-9a-f]{32})_ins\.(?<extension>jpg|png)$/
const CDN_PATH = /^\/cdn\/(?<day>\d{4}-\d{2}-\d{2})\/(?<name>[0-9a-f]{32})\.(?<extension>jpg|png)$/
// A trailing "&" is part of the link as issued; some clients drop it.
const DISCORD_QUERY = /^(?<signed>ex=(?<ex>[0-9a-f]{1,10})&is=(?<is>[0-9a-f]{1,10})&)hm=(?<hm>[0-9a-f]{64})&?$/

export function createResultLinks(secret: Buffer, lifetimeS: number, retentionDays: number): ResultLinks {
  const sign = (path: string, signed: string) => createHmac('sha256', secret).update(`${path}?${signed}`).digest()

  return {
    create: (extension, now) => {
      const name = randomBytes(16).toString('hex')
      const issuedS = Math.floor(now / 1000)
      const path = `/attachments/${createSnowflake()}/${createSnowflake()}/${name}_ins.${extension}`
      const signed = `ex=${(issuedS + lifetimeS).toString(16)}&is=${issuedS.toString(16)}&`
      const hm = sign(path, signed).toString('hex')
      const file = `${toDay(issuedS)}/${name}.${extension}`
      return { discord: `${path}?${signed}hm=${hm}&`, cdn: `/cdn/${file}`, file }
    },

    check: (path, query, now) => {
      const cdn = CDN_PATH.exec(path)?.groups
      if (cdn) {
        const isRetained = Date.parse(`${cdn['day']}T00:00:00Z`) >= dayBefore(now, retentionDays)
        return isRetained ? { verdict: 'good', file: path.slice('/cdn/'.length) } : { verdict: 'ended' }
      }
      const discord = DISCORD_PATH.exec(path)?.groups
      if (!discord) return { verdict: 'unknown' }
      const link = DISCORD_QUERY.exec(query)?.groups
      if (!link) return { verdict: 'forged' }
      const isOurs = timingSafeEqual(sign(path, link['signed'] ?? ''), Buffer.from(link['hm'] ?? '', 'hex'))
      if (!isOurs) return { verdict: 'forged' }
      if (Number.parseInt(link['ex'] ?? '', 16) * 1000 <= now) return { verdict: 'ended' }
      const day = toDay(Number.parseInt(link['is'] ?? '', 16))
      return { verdict: 'good', file: `${day}/${discord['name']}.${discord['extension']}` }
    },
  }
}

/** The start of the day, in epoch milliseconds, that lies `days` before `now`: what is older is no longer kept. */
export function dayBefore(now: number, days: number): number {
  const dayMs = 86_400_000
  return (Math.floor(now / dayMs) - days) * dayMs
}

function toDay(epochS: number): string {
  return new Date(epochS * 1000).toISOString().slice(0, 10)
}

/** A 19-digit number in the manner of the ids in the reference's sample links. */
function createSnowflake(): string {
  return (10n ** 18n + BigInt(`0x${randomBytes(7).toString('hex')}`)).toString()
}
