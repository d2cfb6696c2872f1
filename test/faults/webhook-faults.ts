/** Faults of webhooks: which are delivered, and when. */
import { withRawDatabase } from '../support/raw-database.ts'
import { until } from '../support/until.ts'
import { askGraphql } from './ask-graphql.ts'
import { type Rig, withSharedRig } from './rig.ts'
import type { Gateway } from './gateway-process.ts'
import { type Scenario, toResult } from './scenario.ts'

const FORGET = 'mutation ($ids: [ID!]!) { forgetSwaps(input: { ids: $ids }) { kind: __typename } }'

interface StoredWebhook {
  readonly jobId: string
  readonly state: string
  readonly url: string
  readonly body: string
}

async function readWebhooks({ databaseUrl }: Rig<Gateway>): Promise<ReadonlyMap<string, StoredWebhook>> {
  const statement = 'select job_id as "jobId", state, url, body from webhooks'
  const rows = await withRawDatabase(databaseUrl, async (database) => database.query(statement))
  // The statement names the columns of the rows.
  return new Map((rows as StoredWebhook[]).map((row) => [row.jobId, row]))
}

/** A second attempt follows after 20 s of the program's clock. A busy machine must not delay the first one that long. */
const ATTEMPTS_LAST = 4

const jobIdOf = (body: string) => /"id":"(job_[0-9a-z]+)"/.exec(body)?.[1] ?? ''

const forgotten: Scenario = {
  name: 'a job is forgotten while its webhook is being delivered',
  times: { short: 2, long: 30 },
  run: (times) =>
    withSharedRig({ clockFactor: ATTEMPTS_LAST, hasHook: true, settings: { MAX_IN_FLIGHT: '100' } }, async (rig) => {
      const { upstream, callers } = rig
      let release = () => {}
      const released = new Promise<void>((resolve) => {
        release = resolve
      })
      let isReleased = false
      const attempts = new Map<string, number>()
      // Attempts that began before the jobs were forgotten fail; later ones succeed.
      upstream.scriptWebhooks(async (body) => {
        attempts.set(jobIdOf(body), (attempts.get(jobIdOf(body)) ?? 0) + 1)
        if (isReleased) return 204
        await released
        return 500
      })
      rig.requestSwaps(times * 2)
      await rig.settle()
      await until(() => attempts.size === times * 2)
      // The checker cannot compare a forgotten job with its event.
      const verdict = await rig.check()
      const ids = callers.swaps.flatMap(({ jobIds }) => jobIds.slice(0, 1))
      const gone = ids.slice(0, times)
      const unharmed = ids.slice(times)
      const { data } = await askGraphql(rig.gateway, FORGET, { ids: gone })
      const from = performance.now()
      const before = new Map(attempts)
      isReleased = true
      release()
      // By the time the other webhooks are retried, one of a forgotten job would have been, too.
      await until(async () => {
        const stored = await readWebhooks(rig)
        return unharmed.every((id) => stored.get(id)?.state === 'DELIVERED')
      })
      const recoveriesMs = [performance.now() - from]
      const stored = await readWebhooks(rig)
      const again = gone.filter((id) => attempts.get(id) !== before.get(id))
      const alive = gone.filter((id) => {
        const { state, url, body } = stored.get(id) ?? {}
        return state !== 'EXHAUSTED' || url !== '' || body !== ''
      })
      const bodies = upstream.webhooks.filter(({ body }) => !ids.includes(jobIdOf(body)))
      return toResult(
        verdict,
        { injected: gone.length, recoveriesMs, note: 'recovery: the webhooks beside it' },
        data?.forgetSwaps.kind !== 'ForgetSwapsSuccess' && 'forgetSwaps did not succeed',
        again.length > 0 && `${again.length} webhooks were sent again after their job was forgotten`,
        alive.length > 0 && `${alive.length} webhooks of forgotten jobs are not EXHAUSTED and erased`,
        bodies.length > 0 && `${bodies.length} webhooks arrived without their event`,
      )
    }),
}

export const webhookFaults: readonly Scenario[] = [forgotten]
