const RFC_3339 =
  /^(?<year>\d{4})-(?<month>\d{2})-(?<day>\d{2})T(?<hour>\d{2}):(?<minute>\d{2}):(?<second>\d{2})(?:\.(?<fraction>\d{1,9}))?(?:Z|(?<sign>[+-])(?<offsetHour>\d{2}):?(?<offsetMinute>\d{2}))$/i

/**
 * Parses an RFC 3339 timestamp into epoch milliseconds; digits below the millisecond are dropped. The offset is
 * required; its colon is optional (`+0000`, as Python's %z writes it). Returns null for any other text, and for a date,
 * time or offset that does not exist. A leap second counts as the second after it.
 */
export function parseInstant(text: string): number | null {
  const { groups } = RFC_3339.exec(text) ?? {}
  if (!groups) return null
  const { fraction = '', sign = '+' } = groups
  const part = (name: string) => Number(groups[name] ?? 0)
  const [year, month, day] = [part('year'), part('month'), part('day')]
  const [hour, minute, second] = [part('hour'), part('minute'), part('second')]
  const [offsetHour, offsetMinute] = [part('offsetHour'), part('offsetMinute')]
  if (hour > 23 || minute > 59 || second > 60 || offsetHour > 23 || offsetMinute > 59) return null
  // The constructor would map the years 0 to 99 to 1900 to 1999.
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null
  const offsetMinutes = (offsetHour * 60 + offsetMinute) * (sign === '-' ? -1 : 1)
  const instant =
    date.setUTCHours(hour, minute, second, Number(fraction.slice(0, 3).padEnd(3, '0'))) - offsetMinutes * 60_000
  const exists = second < 60 || Math.floor(instant / 1_000) % 86_400 === 0
  return exists ? instant : null
}
