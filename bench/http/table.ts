/** Converts measurements to table rows. */
import { median, percentile } from '../realtime/figures.ts'

/** A contender's turns, one per round. */
export interface Measured<T> {
  readonly name: string
  readonly measurements: readonly T[]
}

/** Computes a column's figure from a turn and the limit's turn of the same round; NaN if it has none. */
export interface Column<T> {
  readonly title: string
  readonly digits?: number
  readonly valueOf: (measurement: T, limit: T) => number
}

/** Rows of one scenario. Sections with the same titles share a table. */
export interface Section {
  readonly titles: readonly string[]
  readonly rows: readonly string[]
  /** Whether the figures show a broken promise. */
  readonly isBroken?: boolean
}

/** @param measured the limit first. */
export function toSection<T>(
  scenario: string,
  columns: readonly Column<T>[],
  measured: readonly Measured<T>[],
): Section {
  const limit = measured[0]?.measurements ?? []
  const toCell = (measurements: readonly T[], { valueOf, digits = 0 }: Column<T>) =>
    spread(
      measurements.map((measurement, round) => valueOf(measurement, limit[round] ?? measurement)),
      digits,
    )
  return {
    titles: ['scenario', 'contender', ...columns.map(({ title }) => title)],
    rows: measured.map(({ name, measurements }) =>
      toRow([scenario, name, ...columns.map((column) => toCell(measurements, column))]),
    ),
  }
}

/** Prints one table for each run of sections with the same titles. */
export function toTables(sections: readonly Section[]): string {
  const lines: string[] = []
  let last = ''
  for (const { titles, rows } of sections) {
    const head = toRow(titles)
    if (head !== last) lines.push(...(last === '' ? [] : ['']), head, toRow(titles.map(() => '---')))
    lines.push(...rows)
    last = head
  }
  return lines.join('\n')
}

export function toRow(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

/** Formats the median and the range. */
function spread(values: readonly number[], digits: number): string {
  if (values.some(Number.isNaN)) return '-'
  const [middle, least, most] = [median(values), percentile(values, 0), percentile(values, 1)].map((value) =>
    value.toFixed(digits),
  )
  return least === most ? `${middle}` : `${middle} (${least} to ${most})`
}
