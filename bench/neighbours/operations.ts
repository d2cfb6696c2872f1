/** What is measured of the quiet tenant. */
export const OPERATIONS = ['query', 'createSwap', 'upload'] as const

/** Milliseconds of each operation. */
export type Samples = Readonly<Record<(typeof OPERATIONS)[number], number[]>>

/** What the noisy tenant did until it was stopped. */
export interface NoisyFigures {
  readonly requests: number
  readonly refused: number
  readonly cpuMs: number
}
