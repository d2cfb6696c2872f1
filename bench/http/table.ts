/** What was measured, as rows of one table. */
import { median, percentile } from '../realtime/figures.ts'
import type { Turn } from './measure.ts'

const COLUMNS = [
  'scenario',
  'contender',
  'CPU µs a request',
  "limit's CPU / its CPU",
  'requests/s',
  'p99 ms',
  'upstream calls a request',
]

/** A contender's turns, one for each round. */
export interface Measured {
  readonly name: string
  readonly turns: readonly Turn[]
}

export function toRows(scenario: string, limit: Measured, contenders: readonly Measured[]): string[] {
  return contenders.map(({ name, turns }) => {
    const ratios = turns.map(({ cpuUs }, round) => (limit.turns[round]?.cpuUs ?? Number.NaN) / cpuUs)
    return toRow([
      scenario,
      name,
      spread(turns.map(({ cpuUs }) => cpuUs)),
      spread(ratios, 2),
      spread(turns.map(({ perSecond }) => perSecond)),
      spread(turns.map(({ p99Ms }) => p99Ms)),
      spread(
        turns.map(({ upstreamCalls }) => upstreamCalls),
        2,
      ),
    ])
  })
}

export function toTable(rows: readonly string[]): string {
  return [toRow(COLUMNS), toRow(COLUMNS.map(() => '---')), ...rows].join('\n')
}

function toRow(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

/** The median, and from where to where. */
function spread(values: readonly number[], digits = 0): string {
  const [middle, least, most] = [median(values), percentile(values, 0), percentile(values, 1)].map((value) =>
    value.toFixed(digits),
  )
  return least === most ? `${middle}` : `${middle} (${least} to ${most})`
}
