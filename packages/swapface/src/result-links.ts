/**
 * Creates and checks the links of result images. A `discordImage` link contains its time of issue (`is`), its expiry
 * (`ex`), and a signature over both and the path (`hm`). A `cdnImage` link has no parameters and is valid while the
 * result is retained. Both refer to the same file: `<yyyy-mm-dd>/<32 hex>.<jpg|png>`.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** URL paths of a result, and the file's path below the results folder. */
export interface ResultPaths {
  readonly discord: string
  readonly cdn: string
  readonly file: string
}

export type LinkCheck =
  | { readonly verdict: 'good'; readonly file: string }
  | { readonly verdict: 'ended' | 'forged' | 'unknown' }

export interface ResultLinks {
  /** Creates the paths of a new result; they cannot be guessed. */
  create(extension: 'jpg' | 'png', now: number): ResultPaths
  /** Checks the path and the query (without "?") of a request. */
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

/** Returns the start (UTC, epoch milliseconds) of the day `days` before `now`; older results are not retained. */
export function dayBefore(now: number, days: number): number {
  const dayMs = 86_400_000
  return (Math.floor(now / dayMs) - days) * dayMs
}

function toDay(epochS: number): string {
  return new Date(epochS * 1000).toISOString().slice(0, 10)
}

/** Returns a random 19-digit number, like the ids in the reference's sample links. */
function createSnowflake(): string {
  return (10n ** 18n + BigInt(`0x${randomBytes(7).toString('hex')}`)).toString()
}
