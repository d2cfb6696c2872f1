import { SWAP_JOB_STATUSES } from '../../../domain/swap-job.ts'
import type { Service, Usage } from '../../../jobs/service-status.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'
import { declareCost, SCAN_WEIGHT } from '../field-cost.ts'
import { SwapJobStatus } from './swap-job.ts'

const HOUR_MS = 60 * 60 * 1_000

const SwapUsageWindow = builder.enumType('SwapUsageWindow', {
  values: {
    LAST_HOUR: { value: HOUR_MS },
    LAST_24_HOURS: { value: 24 * HOUR_MS },
    LAST_30_DAYS: { value: 30 * 24 * HOUR_MS },
  } as const,
})

const SwapStatusCount = builder.objectRef<Usage['counts'][number]>('SwapStatusCount').implement({
  extensions: declareCacheable('never'),
  fields: (t) => ({
    status: t.expose('status', { type: SwapJobStatus }),
    count: t.exposeInt('count'),
  }),
})

const SwapUsage = builder.objectRef<Usage>('SwapUsage').implement({
  extensions: declareCacheable('never'),
  fields: (t) => ({
    from: t.expose('from', {
      type: 'DateTime',
      description: 'Start of the window, rounded down to a quarter of an hour.',
    }),
    to: t.expose('to', { type: 'DateTime' }),
    jobs: t.int({ resolve: ({ counts }) => counts.reduce((total, { count }) => total + count, 0) }),
    counts: t.field({
      type: [SwapStatusCount],
      extensions: declareCost({ listSize: { assumedSize: SWAP_JOB_STATUSES.length } }),
      resolve: ({ counts }) => [...counts],
    }),
    quotaSpent: t.exposeInt('spent'),
    quotaUncertain: t.exposeInt('uncertain', {
      description: 'Units whose charge is not known yet or will stay unknown.',
    }),
    quotaRemaining: t.exposeInt('remaining', {
      nullable: true,
      description:
        'What the tenant may still spend today (UTC). Null if there is no limit, or if the window is longer than a day.',
    }),
    inFlight: t.exposeInt('inFlight'),
    maxInFlight: t.exposeInt('maxInFlight'),
  }),
})

builder.queryField('swapUsage', (t) =>
  t.field({
    type: SwapUsage,
    description: 'What the tenant has spent and may still spend.',
    extensions: declareCost({ weight: SCAN_WEIGHT }),
    args: { window: t.arg({ type: SwapUsageWindow, defaultValue: 24 * HOUR_MS }) },
    resolve: async (_root, { window }, { viewer, useCases }) =>
      useCases.status.readUsage(viewer, window ?? 24 * HOUR_MS),
  }),
)

const SwapServiceStatus = builder.objectRef<Service>('SwapServiceStatus').implement({
  extensions: declareCacheable('never'),
  fields: (t) => ({
    accepting: t.exposeBoolean('accepting', {
      description: 'Whether the upstream accepts work; false while it is down or at capacity.',
    }),
    typicalMs: t.exposeInt('typicalMs', {
      nullable: true,
      description: 'Median duration of the swaps of the last hour, in milliseconds; `slowMs` is the 90th percentile.',
    }),
    slowMs: t.exposeInt('slowMs', { nullable: true }),
    hooksHealthy: t.exposeBoolean('hooksHealthy', {
      description: 'Whether hooks arrive. If not, results arrive later, by polling.',
    }),
    keyAccepted: t.exposeBoolean('keyAccepted', {
      nullable: true,
      description:
        "Whether the upstream accepts the gateway's key, as of the last response that shows it; false after a 401 or 403. Null while unknown.",
    }),
    publicUrlReachable: t.exposeBoolean('publicUrlReachable', {
      nullable: true,
      description:
        'Whether the gateway reached its own PUBLIC_URL at its start; if not, hooks may not arrive. Null if it did not try.',
    }),
    typicalQuota: t.exposeInt('typicalQuota', {
      nullable: true,
      description:
        'Units that a swap usually costs, to estimate a price before creating one: the median of recent charges. Null if there are none.',
    }),
  }),
})

builder.queryField('swapService', (t) =>
  t.field({
    type: SwapServiceStatus,
    description: 'Health of the upstream: whether it accepts work, and how long swaps take at the moment.',
    extensions: declareCost({ weight: SCAN_WEIGHT }),
    resolve: async (_root, _args, { useCases }) => useCases.status.read(),
  }),
)
