/** Measures contenders alternately, in rounds, so that other load on the machine affects all of them alike. */
import type { Measured } from './table.ts'

export const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3)

export async function measureInRounds<C extends { readonly name: string }, T>(
  contenders: readonly C[],
  measure: (contender: C) => Promise<T>,
  rounds = ROUNDS,
): Promise<Measured<T>[]> {
  const records = contenders.map(({ name }) => ({ name, measurements: [] as T[] }))
  for (let round = 0; round <= rounds; round += 1) {
    for (const [n, contender] of contenders.entries()) {
      const measurement = await measure(contender)
      // The first round warms up.
      if (round > 0) records[n]?.measurements.push(measurement)
    }
  }
  return records
}
