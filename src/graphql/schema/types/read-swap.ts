import { MAX_WAIT_MS } from '../../../jobs/create-swap-input.ts'
import { GatewayError } from '../../../domain/errors.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'
import { SwapJobType } from './swap-job.ts'

builder.queryField('swapJob', (t) =>
  t.field({
    type: SwapJobType,
    nullable: true,
    // `stored`, although a read may fetch an unfinished job: the response cache repeats the read (`openReading`).
    extensions: declareCacheable('stored'),
    description: [
      'One job by its gateway id, or by its upstream id (`SWAP-FACE-…`).',
      "An unfinished job is refreshed from the upstream's /fetch through a DataLoader: one call per job, however many fields,",
      'aliases or requests ask for it. A finished job causes no call.',
      'Null if the job does not exist or belongs to another tenant; the two are not distinguished.',
      'With `waitMs` (0 to 25000) the response waits until the job is done or the time is over.',
    ].join('\n'),
    args: { id: t.arg.id({ required: true }), waitMs: t.arg.int({ defaultValue: 0 }) },
    resolve: async (_root, { id, waitMs }, { loaders, useCases }) => {
      if (waitMs != null && (waitMs < 0 || waitMs > MAX_WAIT_MS)) {
        throw new GatewayError('INVALID_INPUT', `waitMs must be from 0 to ${MAX_WAIT_MS}.`)
      }
      const job = await loaders.job.load(id)
      return job && useCases.watcher.awaitDone(job, waitMs ?? 0)
    },
  }),
)
