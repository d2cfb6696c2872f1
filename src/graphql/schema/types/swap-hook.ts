import { WEBHOOK_STATES, type WebhookAttempt, type WebhookState } from '../../../domain/webhook.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'
import { declareCost } from '../field-cost.ts'
import { createJobResult, toNotFound, toWrongState } from './errors.ts'
import { SwapJobType } from './swap-job.ts'

/** The webhook of a job with a `hookUrl`; WAITING without attempts until the job has ended. */
interface Hook {
  readonly url: string
  readonly state: WebhookState
  readonly attempts: readonly WebhookAttempt[]
}

const SwapHookState = builder.enumType('SwapHookState', { values: WEBHOOK_STATES })

const SwapHookAttempt = builder.objectRef<WebhookAttempt>('SwapHookAttempt').implement({
  extensions: declareCacheable('never'),
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime' }),
    httpStatus: t.exposeInt('httpStatus', { nullable: true, description: 'Null if the receiver did not answer.' }),
    error: t.exposeString('error', { nullable: true }),
  }),
})

const SwapHook = builder.objectRef<Hook>('SwapHook').implement({
  extensions: declareCacheable('never'),
  fields: (t) => ({
    url: t.expose('url', { type: 'URL' }),
    state: t.expose('state', { type: SwapHookState }),
    attempts: t.field({
      type: [SwapHookAttempt],
      extensions: declareCost({ listSize: { assumedSize: 10 } }),
      resolve: ({ attempts }) => [...attempts],
    }),
  }),
})

builder.objectField(SwapJobType, 'hook', (t) =>
  t.field({
    type: SwapHook,
    nullable: true,
    description: 'The webhook of the job and its delivery attempts. Null if no `hookUrl` was given.',
    resolve: async ({ id, hookUrl }, _args, { loaders }) => {
      if (hookUrl === null) return null
      const event = await loaders.webhook.load(id)
      return { url: hookUrl, state: event?.state ?? 'WAITING', attempts: event?.attempts ?? [] }
    },
  }),
)

const ReplaySwapHookInput = builder.inputType('ReplaySwapHookInput', {
  fields: (t) => ({ id: t.id({ required: true }) }),
})

const ReplaySwapHookResult = createJobResult('ReplaySwapHook')

builder.mutationField('replaySwapHook', (t) =>
  t.field({
    type: ReplaySwapHookResult,
    description: 'Sends the webhook of a finished job again, with the same event id.',
    extensions: declareCost({ nodes: 1 }),
    args: { input: t.arg({ type: ReplaySwapHookInput, required: true }) },
    resolve: async (_root, { input: { id } }, { viewer, useCases }) => {
      const outcome = await useCases.replayWebhook(viewer, id)
      switch (outcome.kind) {
        case 'replayed':
          return { job: outcome.job }
        case 'notFound':
          return toNotFound([id])
        case 'nothingToSend':
          return toWrongState(
            outcome.job,
            'The job has no hook, or is not finished yet: there is nothing to send.',
            true,
          )
      }
    },
  }),
)
