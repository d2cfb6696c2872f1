/** Measurements, and how they are formatted. */
export type Figures = readonly (readonly [what: string, figure: string])[]

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

export function pair(values: readonly number[]): string {
  return `${percentile(values, 0.5).toFixed(1)}, ${percentile(values, 0.99).toFixed(1)} ms`
}

export function milliseconds(value: number | undefined): string {
  return `${value?.toFixed(0)} ms`
}

export function kilobytes(bytes: number): string {
  return `${(bytes / 1_024).toFixed(1)} KiB`
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
