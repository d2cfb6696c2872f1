import { withRawDatabase } from './raw-database.ts'

/** Columns of a copy that differ from the original, as SQL; `n` counts the copies from 1. */
type Changes = Readonly<Record<string, string>>

/** Returns the id of copy `n`. */
export const seededId = (n: number) => `job_seed${String(n).padStart(22, '0')}`
// `substr` without a negative start, which only one engine counts from the end.
const ID = `'job_seed' || substr('0000000000000000000000' || n, length('' || n) + 1)`

/**
 * Copies the only stored job `count` times, with its timeline and its rows in the tables of `others`.
 * @param changes to the job's row.
 * @param others the changes to the job's rows, by table.
 */
export async function seedJobs(
  databaseUrl: string,
  count: number,
  changes: Changes = {},
  others: Readonly<Record<string, Changes>> = {},
): Promise<void> {
  await withRawDatabase(databaseUrl, async ({ query, exec }) => {
    const copy = async (table: string, changed: Changes) => {
      const [row = {}] = (await query(`select * from ${table} limit 1`)) as object[]
      const columns = Object.keys(row)
      await exec(`insert into ${table} (${columns.join()}) with recursive n(n) as (
        select 1 union all select n + 1 from n where n < ${count}) select ${columns.map((name) => changed[name] ?? name).join()}
        from n, ${table}`)
    }
    await exec('begin')
    await copy('jobs', { id: ID, upstream_id: `'SWAP-FACE-SEED-' || n`, change_seq: 'change_seq - n', ...changes })
    // (Earlier in the sequence, because new changes continue from the last one.)
    // The tables hold only rows of the original; the copies have none yet.
    await copy('job_timeline', { job_id: ID })
    for (const [table, changed] of Object.entries(others)) await copy(table, { job_id: ID, ...changed })
    await exec('commit')
  })
}
