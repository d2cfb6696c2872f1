/** Fills the database before the measurement. */
import { seededId, seedJobs } from '../../test/support/seed-jobs.ts'
import { withRawDatabase } from '../../test/support/raw-database.ts'
import { until } from '../../test/support/until.ts'
import type { BenchGateway } from '../realtime/gateway.ts'
import { createClient } from './tenants.ts'

/** One stored job in this many belongs to the quiet tenant. */
const QUIET_EVERY = 100
/** Number of the newest jobs that wait: the limit of one tenant. */
const WAITING = 500
const JOB_TAKES_MS = 300

/** Yields ids of finished jobs of the quiet tenant. */
export function* listQuietIds(stored: number): Generator<string, never> {
  for (;;) for (let n = WAITING + QUIET_EVERY; n <= stored; n += QUIET_EVERY) yield seededId(n)
}

/** Fills the database: finished jobs of both tenants, and waiting ones of the noisy tenant, which are not due. */
export async function prepare({ upstream, url, databaseUrl }: BenchGateway, stored: number): Promise<void> {
  const links = { cdnImage: `${upstream.url}/results/a.png`, discordImage: `${upstream.url}/results/b.png` }
  upstream.scriptJobs(() => ({
    states: [{ afterMs: JOB_TAKES_MS, state: { status: 'SUCCESS', links } }],
    hooks: { copies: 1 },
  }))
  await createClient(url, 'noisy').send(
    `mutation { createSwap(input: { targetImage: { url: "https://example.com/a.jpg" },
       swapImage: { url: "https://example.com/b.jpg" }, tags: ["x"] }) { __typename } }`,
  )
  const isDone = `select id from jobs where status = 'SUCCESS' and copy_id is not null`
  await withRawDatabase(databaseUrl, async ({ query }) => until(async () => (await query(isDone)).length === 1))
  const tenant = `case when n % ${QUIET_EVERY} = 0 then 'quiet' else 'noisy' end`
  await seedJobs(
    databaseUrl,
    stored,
    {
      tenant,
      created_at: 'created_at - n',
      status: ofWaiting(`'PENDING'`, 'status'),
      not_before: ofWaiting('not_before + 1000000000', 'not_before'),
      wake_at: ofWaiting('not_before + 1000000000', 'wake_at'),
      ...Object.fromEntries(
        ['upstream_status', 'submitted_at', 'finished_at', 'cdn_image', 'discord_image', 'copy_id', 'purge_at'].map(
          (name) => [name, ofWaiting('null', name)],
        ),
      ),
      upstream_id: ofWaiting('null', `'SWAP-FACE-SEED-' || n`),
      charge_state: ofWaiting(`'PENDING'`, 'charge_state'),
    },
    { job_tags: { tenant, created_at: 'created_at - n' } },
  )
  await withRawDatabase(databaseUrl, async ({ exec }) => exec('analyze'))
}

/** Returns SQL that sets another value for waiting jobs. */
function ofWaiting(value: string, name: string): string {
  return `case when n <= ${WAITING} then ${value} else ${name} end`
}
