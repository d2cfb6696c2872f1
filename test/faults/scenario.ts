import type { Verdict } from '../support/history.ts'

/** One row of the table. */
export interface Result {
  /** How often the fault happened. */
  readonly injected: number
  readonly accepted: number
  readonly lost: readonly string[]
  readonly chargedTwice: readonly string[]
  /** Wall clock milliseconds from the fault, or from the end of a lasting one, until the rig has settled. */
  readonly recoveriesMs: readonly number[]
  readonly breaches: readonly string[]
  /** What else was measured. */
  readonly note?: string
}

export interface Scenario {
  readonly name: string
  /** Repetitions in the short form, and in the long one. */
  readonly times: { readonly short: number; readonly long: number }
  /** Set if the scenario runs alone, because it measures speed or loads the machine fully. */
  readonly isAlone?: true
  run(times: number): Promise<Result>
}

/** Makes a row of the checker's verdict and the scenario's own measurements and complaints. */
export function toResult(
  verdict: Verdict,
  measured: { readonly injected: number; readonly recoveriesMs: readonly number[]; readonly note?: string },
  ...breaches: readonly (string | false)[]
): Result {
  return {
    ...measured,
    accepted: verdict.accepted,
    lost: verdict.lost,
    chargedTwice: verdict.chargedTwice,
    breaches: [...verdict.breaches, ...breaches.filter((breach) => breach !== false)],
  }
}

/** Tells whether the fault occurred and all promises held. */
export function isHeld({ injected, lost, chargedTwice, breaches }: Result): boolean {
  return injected > 0 && lost.length === 0 && chargedTwice.length === 0 && breaches.length === 0
}

const HEAD =
  '| fault | times injected | jobs accepted upstream | jobs lost | jobs charged twice | recovery median | max | |'
const RULE = '|---|--:|--:|--:|--:|--:|--:|---|'

/** Returns the rows as a Markdown table. */
export function toTable(rows: readonly (readonly [name: string, result: Result])[]): string {
  return [HEAD, RULE, ...rows.map(([name, result]) => toRow(name, result))].join('\n')
}

export function toRow(name: string, result: Result): string {
  const sorted = result.recoveriesMs.toSorted((a, b) => a - b)
  const cells = [
    name,
    result.injected,
    result.accepted,
    result.lost.length,
    result.chargedTwice.length,
    toSeconds(sorted[Math.floor(sorted.length / 2)]),
    toSeconds(sorted.at(-1)),
    [isHeld(result) ? '' : '**broken**', result.note ?? ''].filter(Boolean).join(' '),
  ]
  return `| ${cells.join(' | ')} |`
}

function toSeconds(ms: number | undefined): string {
  return ms === undefined ? '' : `${(ms / 1_000).toFixed(2)} s`
}
