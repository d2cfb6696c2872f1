/** Measurements of both tenants, and their tables. */
import { percentile } from '../realtime/figures.ts'
import type { LoopLag } from '../realtime/process.ts'
import { OPERATIONS, type Samples } from './operations.ts'

export interface Phase {
  readonly samples: Samples
  readonly lag: LoopLag
  /** CPU time divided by elapsed time. */
  readonly cores: Readonly<Record<'gateway' | 'database' | 'upstream' | 'noisy', number>>
  readonly ms: number
  /** Requests of the noisy tenant. */
  readonly requests: number
  readonly refused: number
}

const PHASES = ['alone', 'beside', 'control'] as const
type Round = Readonly<Record<(typeof PHASES)[number], Phase>>

export interface Result {
  readonly load: string
  readonly rounds: Round[]
}

export function createResult(load: string): Result {
  return { load, rounds: [] }
}

export function addRound({ rounds }: Result, round: Round): void {
  rounds.push(round)
}

export function printTables(results: readonly Result[]): string {
  return [
    `| the noisy tenant sends | ${OPERATIONS.map((name) => `${name} p99 ms: alone, beside, control | × p99: beside, control | × p50: beside, control`).join(' | ')} |`,
    `|---|${OPERATIONS.map(() => '--:|--:|--:|').join('')}`,
    ...results.map(toRatios),
    '',
    '| the noisy tenant sends | event loop delay, ms: p99, max, max by its own work; alone | beside | control | requests/s (refused) | cores: gateway | database | upstream | noisy client |',
    '|---|--:|--:|--:|--:|--:|--:|--:|--:|',
    ...results.map(toContext),
  ].join('\n')
}

function toRatios({ load, rounds }: Result): string {
  const cells = OPERATIONS.flatMap((operation) => {
    const valuesOf = (share: number) =>
      PHASES.map((phase) =>
        percentile(
          rounds.flatMap((round) => round[phase].samples[operation]),
          share,
        ),
      )
    const highest = valuesOf(0.99)
    return [highest.map((ms) => ms.toFixed(1)).join(', '), toTimes(highest), toTimes(valuesOf(0.5))]
  })
  return `| ${load} | ${cells.join(' | ')} |`
}

/** Formats the later values as multiples of the first. */
function toTimes([alone = 0, ...others]: readonly number[]): string {
  return others.map((ms) => (ms / alone).toFixed(1)).join(', ')
}

function toContext({ load, rounds }: Result): string {
  const lags = PHASES.map((phase) => {
    const all = rounds.map((round) => round[phase].lag)
    const p99 = percentile(
      all.map(({ p99Ms }) => p99Ms),
      0.5,
    )
    const mostMs = Math.max(...all.map(({ maxMs }) => maxMs))
    const ownMs = Math.max(...all.map(({ ownMaxMs }) => ownMaxMs))
    return [p99, mostMs, ownMs].map((ms) => ms.toFixed(0)).join(', ')
  })
  const beside = rounds.map((round) => round.beside)
  const sum = (pick: (phase: Phase) => number) => beside.reduce((total, phase) => total + pick(phase), 0)
  const seconds = sum(({ ms }) => ms) / 1_000
  const cores = (['gateway', 'database', 'upstream', 'noisy'] as const).map((name) =>
    (sum((phase) => phase.cores[name] * phase.ms) / 1_000 / seconds).toFixed(2),
  )
  const requests = `${(sum((phase) => phase.requests) / seconds).toFixed(0)} (${(sum((phase) => phase.refused) / seconds).toFixed(0)})`
  return `| ${[load, ...lags, requests, ...cores].join(' | ')} |`
}
