import { GatewayError } from '../../../domain/errors.ts'
import { JOB_EVENT_KINDS, type JobEvent } from '../../../jobs/jobs-feed.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'
import { SwapJobStatus, SwapJobType } from './swap-job.ts'

export const SwapJobFilter = builder.inputType('SwapJobFilter', {
  description: 'Selects jobs that match all given fields.',
  fields: (t) => ({
    ids: t.idList(),
    statuses: t.field({ type: [SwapJobStatus] }),
    done: t.boolean(),
    tags: t.stringList({ description: 'Jobs that have all of these tags; at most 10.' }),
    clientReference: t.string(),
    createdFrom: t.field({ type: 'DateTime' }),
    createdBefore: t.field({ type: 'DateTime' }),
  }),
})

const SwapJobEventKind = builder.enumType('SwapJobEventKind', {
  values: JOB_EVENT_KINDS,
})

const SwapJobEvent = builder.objectRef<JobEvent>('SwapJobEvent').implement({
  extensions: declareCacheable('never'),
  fields: (t) => ({
    kind: t.expose('kind', { type: SwapJobEventKind }),
    cursor: t.exposeString('cursor', { description: 'Pass it as `after` to continue from this event.' }),
    job: t.expose('job', {
      type: SwapJobType,
      nullable: true,
      description: 'Null only for CAUGHT_UP and KEEPALIVE.',
    }),
    gap: t.exposeBoolean('gap', { description: 'Whether events before this one could not be replayed.' }),
  }),
})

builder.subscriptionField('swapJobUpdated', (t) =>
  t.field({
    type: SwapJobType,
    description: [
      'Watches one job. The first event is its current state, so no query is needed before; then each change sends an event.',
      'After the event with `done: true` the stream completes, immediately if the job is already done.',
      'Each event is the complete state, and `version` only increases. If nothing changes, the state is repeated every 30 s, so',
      'that a client can detect a dead connection.',
      '`nonce` is ignored: a different value keeps a federation router from sharing one stream between clients.',
    ].join('\n'),
    args: { id: t.arg.id({ required: true }), nonce: t.arg.string() },
    subscribe: async (_root, { id }, { viewer, useCases }) => {
      const watch = await useCases.watcher.watch(viewer, id)
      if (!watch) throw new GatewayError('NOT_FOUND', 'The job does not exist.')
      return watch
    },
    resolve: (job, _args, { loaders }) => {
      loaders.renew()
      return job
    },
  }),
)

builder.subscriptionField('swapJobsUpdated', (t) =>
  t.field({
    type: SwapJobEvent,
    description: [
      "Watches all of the tenant's jobs that match `filter`. Without `after`: every unfinished job, then CAUGHT_UP, then changes.",
      'With `after` (the `cursor` of the last event, valid for 24 hours on any instance): the changes since then, then CAUGHT_UP,',
      'then changes. `gap: true` on the first event means that `after` was too old and a snapshot was sent instead.',
      'A job that changes again before it was sent is sent once, in its latest state. KEEPALIVE is sent after 30 s without events.',
    ].join('\n'),
    args: { filter: t.arg({ type: SwapJobFilter }), after: t.arg.string(), nonce: t.arg.string() },
    subscribe: (_root, { filter, after }, { viewer, useCases }) =>
      useCases.watchJobs(viewer, filter ?? {}, after ?? null),
    resolve: (event, _args, { loaders }) => {
      loaders.renew()
      return event
    },
  }),
)
