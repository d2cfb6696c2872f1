/** Measured operations of the quiet tenant. */
export const OPERATIONS = ['query', 'createSwap', 'upload'] as const

/** Durations per operation, in milliseconds. */
export type Samples = Readonly<Record<(typeof OPERATIONS)[number], number[]>>

/** Work of the noisy tenant until its stop. */
export interface NoisyFigures {
  readonly requests: number
  readonly refused: number
  readonly cpuMs: number
}
