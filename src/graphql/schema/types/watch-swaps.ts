import { GatewayError } from '../../../domain/errors.ts'
import { JOB_EVENT_KINDS, type JobEvent } from '../../../jobs/jobs-feed.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'
import { SwapJobStatus, SwapJobType } from './swap-job.ts'

export const SwapJobFilter = builder.inputType('SwapJobFilter', {
  description: 'All parts given must hold.',
  fields: (t) => ({
    ids: t.idList(),
    statuses: t.field({ type: [SwapJobStatus] }),
    done: t.boolean(),
    tags: t.stringList({ description: 'All of these tags; at most 10.' }),
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
    cursor: t.exposeString('cursor', { description: 'Give it back as `after` to go on from here.' }),
    job: t.expose('job', {
      type: SwapJobType,
      nullable: true,
      description: 'Null only for CAUGHT_UP and KEEPALIVE.',
    }),
    gap: t.exposeBoolean('gap', { description: 'Events before this one could not be replayed.' }),
  }),
})

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

builder.subscriptionField('swapJobsUpdated', (t) =>
  t.field({
    type: SwapJobEvent,
    description: [
      "All of the caller's jobs that fit `filter`. Without `after`: every unfinished job, then CAUGHT_UP, then changes.",
      'With `after` (the `cursor` of the last event seen, good for 24 hours on any instance): what changed since, then',
      'CAUGHT_UP, then changes; `gap: true` on the first event says that `after` was too old and a snapshot was sent instead.',
      'A job that changes again before it was sent is sent once, as it is then. KEEPALIVE comes when nothing else did for 30 s.',
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
