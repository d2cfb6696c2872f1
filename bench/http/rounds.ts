/** Contenders in turns: whatever else the machine does meanwhile hits all of them. */
import type { Measured } from './table.ts'

export const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3)

export async function scheduleFields<C extends { readonly name: string }, T>(
  contenders: readonly C[],
  measure: (contender: C) => Promise<T>,
  rounds = ROUNDS,
): Promise<Measured<T>[]> {
  const records = contenders.map(({ name }) => ({ name, turns: [] as T[] }))
  for (let round = 0; round <= rounds; round += 1) {
    for (const [n, contender] of contenders.entries()) {
      const turn = await measure(contender)
      // The first round warms up.
      if (round > 0) records[n]?.turns.push(turn)
    }
  }
  return records
}
