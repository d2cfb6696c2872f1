import { MAX_WAIT_MS } from '../../jobs/create-swap-input.ts'
import { GatewayError } from '../../domain/errors.ts'
import { builder } from '../builder.ts'
import { SwapJobType } from './swap-job.ts'

builder.queryField('swapJob', (t) =>
  t.field({
    type: SwapJobType,
    nullable: true,
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

builder.subscriptionField('swapJobUpdated', (t) =>
  t.field({
    type: SwapJobType,
    description: [
      'One job. The first event is the state right now, so no query is needed before; then one event for each change;',
      'after the event with `done: true` the stream completes by itself (at once, if the job is done already).',
      'Each event is the whole state, and `version` only grows. While nothing changes the state is repeated every 30 s,',
      'so that a silent line can be told from a quiet job.',
      '`nonce` is not read: a differing value keeps a federation router from sharing this stream with an older one.',
    ].join('\n'),
    args: { id: t.arg.id({ required: true }), nonce: t.arg.string() },
    subscribe: async (_root, { id }, { viewer, useCases }) => {
      const watch = await useCases.watcher.watch(viewer, id)
      if (!watch) throw new GatewayError('NOT_FOUND', 'There is no such job.')
      return watch
    },
    resolve: (job, _args, { loaders }) => {
      loaders.renew()
      return job
    },
  }),
)
