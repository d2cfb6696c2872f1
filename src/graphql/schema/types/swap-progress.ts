import { SWAP_WAIT_REASONS } from '../../../domain/swap-job.ts'
import type { Progress } from '../../../jobs/service-status.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'
import { describeValues } from '../describe-values.ts'

const SwapWaitReason = builder.enumType('SwapWaitReason', {
  description: 'What a queued job waits for.',
  values: describeValues(SWAP_WAIT_REASONS, {
    SLOT: 'A free slot at the upstream; MAX_IN_FLIGHT jobs are already there, or other jobs are submitted first.',
    UPSTREAM_BUSY: 'The upstream refused the job for now: too many requests, or its queue is full.',
    UPSTREAM_DOWN: 'The upstream cannot be reached, or keeps failing.',
  }),
})

export const SwapProgress = builder.objectRef<Progress>('SwapProgress').implement({
  extensions: declareCacheable('never'),
  description: 'An estimate from recent jobs; the upstream reports no progress.',
  fields: (t) => ({
    ahead: t.exposeInt('ahead', {
      nullable: true,
      description:
        'How many queued swaps the gateway would submit before this one if no more were created; swaps of the tenant with the fewest in flight go first. At most 1,000. Swaps that cannot be submitted yet are counted too. Null once submitted.',
    }),
    medianDoneAt: t.expose('medianDoneAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the job finishes if it takes the median time of recent jobs.',
    }),
    p90DoneAt: t.expose('p90DoneAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the job finishes if it takes the 90th percentile of recent jobs.',
    }),
    overdue: t.exposeBoolean('overdue', {
      description: 'Whether the job has taken longer than 90 % of recent jobs. The gateway keeps polling.',
    }),
    waitingFor: t.expose('waitingFor', {
      type: SwapWaitReason,
      nullable: true,
      description:
        'What a PENDING job waits for. Null while it is being submitted and afterwards. A change of this field alone sends no event: subscribers see it in the next event or repetition.',
    }),
    lastRefusal: t.exposeString('lastRefusal', {
      nullable: true,
      description:
        'Why the last submit of a PENDING job was refused, for people; its text may change. The gateway submits the job again.',
    }),
    nextAttemptAt: t.expose('nextAttemptAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'When the gateway submits the job again or, once submitted, checks it at the upstream. Null if the job waits for a slot, or is being submitted.',
    }),
  }),
})
