import { MAX_WAIT_MS } from '../../../jobs/create-swap-input.ts'
import { GatewayError } from '../../../domain/errors.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'
import { SwapJobType } from './swap-job.ts'

builder.queryField('swapJob', (t) =>
  t.field({
    type: SwapJobType,
    nullable: true,
    // Of a job that is done, or that was fetched within the last second.
    extensions: declareCacheable('stored'),
    description: [
      "One job by its gateway id; an upstream id (`SWAP-FACE-…`) of the caller's own job is accepted too.",
      "A job that is not finished is looked up at the upstream's /fetch through a DataLoader: one upstream call a job,",
      'however many fields, aliases or requests ask, and none for a finished job.',
      "Null means unknown or not the caller's; the two are not told apart.",
      'With `waitMs` (0 to 25000) the answer is held until the job is done or the time is up.',
    ].join('\n'),
    args: { id: t.arg.id({ required: true }), waitMs: t.arg.int({ defaultValue: 0 }) },
    resolve: async (_root, { id, waitMs }, { loaders, useCases }) => {
      if (waitMs != null && (waitMs < 0 || waitMs > MAX_WAIT_MS)) {
        throw new GatewayError('INVALID_INPUT', `waitMs goes from 0 to ${MAX_WAIT_MS}.`)
      }
      const job = await loaders.job.load(id)
      return job && useCases.watcher.awaitDone(job, waitMs ?? 0)
    },
  }),
)
