import { withRawDatabase } from './raw-database.ts'

/** Columns of a copy that differ from what is copied, as SQL; `n` counts the copies from 1. */
type Changes = Readonly<Record<string, string>>

/** The id of the copy `n`. */
export const seededId = (n: number) => `job_seed${String(n).padStart(22, '0')}`
// Written as both engines read it: a negative start is from the end in one of them only.
const ID = `'job_seed' || substr('0000000000000000000000' || n, length('' || n) + 1)`

/**
 * Copies the one stored job, with its timeline and whatever `others` names, until there are `count` more of it.
 * @param changes of the job's row.
 * @param others tables with rows of the job, and what of these is changed.
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
    // (Before it among the changes: those to come count on from the last one.)
    // What is there already is the one job that was copied, and its copies have nothing of their own yet.
    await copy('job_timeline', { job_id: ID })
    for (const [table, changed] of Object.entries(others)) await copy(table, { job_id: ID, ...changed })
    await exec('commit')
  })
}
