/** Upstream values that one of the databases rejects: the gateway still records the paid result. */
import { type AcceptedJob, DEFAULT_LINKS, type JobScript, toDocument } from '../support/fake-upstream.ts'
import { askGraphql } from './ask-graphql.ts'
import { GOOD, UNPACED, withSharedRig } from './rig.ts'
import { type Scenario, toResult } from './scenario.ts'
import { recoveries } from './submit-faults.ts'

const ENDS_AFTER_MS = 100

const ended = (state: Omit<Extract<AcceptedJob['state'], { readonly status: 'SUCCESS' }>, 'status'>): JobScript => ({
  ...GOOD,
  states: [{ afterMs: ENDS_AFTER_MS, state: { ...state, status: 'SUCCESS' } }],
})

const ID_WITH_NUL = JSON.stringify({ status: 'SUCCESS', message: '', data: { jobId: 'SWAP\0FACE' } })

const WITH_NUL_IN_STATUS = ended({})

/** The scripts of consecutive swaps, one for each value. */
const SCRIPTS: readonly JobScript[] = [
  ended({ quota: 2 ** 31 }),
  ended({ quota: '9007199254740992' }),
  ended({ links: { ...DEFAULT_LINKS, discordImage: 'https://discord.example.com/\0' } }),
  ended({ links: { ...DEFAULT_LINKS, discordImage: 'https://discord.example.com/\ud800' } }),
  { ...GOOD, submit: { kind: 'acceptAndAnswer', status: 200, body: ID_WITH_NUL } },
  WITH_NUL_IN_STATUS,
]

const USAGE = '{ swapUsage { quotaSpent quotaUncertain } }'

const rejectedValues: Scenario = {
  name: 'values that a database rejects: NUL, half a surrogate pair, a quota above 2,147,483,647',
  times: { short: SCRIPTS.length, long: 60 },
  run: (times) =>
    withSharedRig({ settings: UNPACED }, async (rig) => {
      const { upstream } = rig
      upstream.scriptJobs((_, n) => SCRIPTS[n % SCRIPTS.length] ?? GOOD)
      const isIll = (n: number) => SCRIPTS[n % SCRIPTS.length] === WITH_NUL_IN_STATUS
      upstream.failFetches((id) => {
        const n = upstream.accepted.findIndex((job) => job.id === id)
        const job = upstream.accepted[n]
        return job && isIll(n) && job.fetches === 1
          ? { status: 200, body: JSON.stringify({ ...toDocument(job), status: 'WORK\0ING' }) }
          : null
      })
      for (let left = times; left > 0; left -= SCRIPTS.length) {
        rig.requestSwaps(Math.min(left, SCRIPTS.length))
        await rig.settle()
      }
      const notDone = rig.callers.swaps.filter(({ doneAs }) => doneAs !== 'SUCCESS').length
      const { errors } = await askGraphql(rig.gateway, USAGE)
      return toResult(
        await rig.check(),
        { injected: times, recoveriesMs: recoveries(rig) },
        notDone > 0 && `${notDone} of ${times} paid results were not stored`,
        errors !== undefined && `swapUsage failed: ${JSON.stringify(errors)}`,
      )
    }),
}

export const valueFaults: readonly Scenario[] = [rejectedValues]
