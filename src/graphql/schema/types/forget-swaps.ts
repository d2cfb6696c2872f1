import { GatewayError } from '../../../domain/errors.ts'
import type { SwapJob } from '../../../domain/swap-job.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'
import { countMembers, declareCost } from '../field-cost.ts'
import { SwapNotFoundError, SwapStateError, toNotFound, toWrongState } from './errors.ts'
import { SwapJobType } from './swap-job.ts'

const MAX_IDS = 100

const ForgetSwapsInput = builder.inputType('ForgetSwapsInput', {
  fields: (t) => ({ ids: t.idList({ required: true, description: 'The ids of 1 to 100 finished jobs.' }) }),
})

const ForgetSwapsSuccess = builder.objectRef<{ readonly jobs: readonly SwapJob[] }>('ForgetSwapsSuccess').implement({
  extensions: declareCacheable('never'),
  description: 'The images and links are erased in the gateway. Copies at the upstream are not affected.',
  fields: (t) => ({
    jobs: t.expose('jobs', {
      type: [SwapJobType],
      extensions: declareCost({ listSize: { assumedSize: MAX_IDS }, nodes: 0 }),
    }),
  }),
})

const ForgetSwapsResult = builder.unionType('ForgetSwapsResult', {
  types: [ForgetSwapsSuccess, SwapNotFoundError, SwapStateError],
  resolveType: (value) => {
    if ('jobs' in value) return ForgetSwapsSuccess
    return 'ids' in value ? SwapNotFoundError : SwapStateError
  },
})

builder.mutationField('forgetSwaps', (t) =>
  t.field({
    type: ForgetSwapsResult,
    description: 'Erases the images and links of finished jobs. A record without personal data remains for accounting.',
    extensions: declareCost({
      sizeOf: (args) => countMembers(args, 'input', 'ids'),
      sizedFields: ['jobs'],
      nodes: 'size',
    }),
    args: { input: t.arg({ type: ForgetSwapsInput, required: true }) },
    resolve: async (_root, { input: { ids } }, { viewer, useCases }) => {
      if (ids.length < 1 || ids.length > MAX_IDS) {
        throw new GatewayError('INVALID_INPUT', `ids must have 1 to ${MAX_IDS} entries.`)
      }
      const outcome = await useCases.forgetter.forget(viewer, ids)
      switch (outcome.kind) {
        case 'forgotten':
          return { jobs: outcome.jobs }
        case 'notFound':
          return toNotFound(outcome.ids, 'Some of these jobs do not exist. Nothing was erased.')
        case 'notDone':
          return toWrongState(outcome.job, 'One of the jobs is not finished. Nothing was erased.', true)
      }
    },
  }),
)
