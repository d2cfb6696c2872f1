import type { SwapJob } from '../../../domain/swap-job.ts'
import { DEFAULT_PAGE, type JobPage, MAX_PAGE, writeListCursor } from '../../../jobs/list-jobs.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'
import { countMembers, declareCost, type FieldArguments, SCAN_WEIGHT } from '../field-cost.ts'
import { SwapJobType } from './swap-job.ts'
import { SwapJobFilter } from './watch-swaps.ts'

const PageInfo = builder.objectRef<JobPage>('PageInfo').implement({
  extensions: { ...declareCacheable('stored'), federation: '@shareable' },
  fields: (t) => ({
    hasNextPage: t.exposeBoolean('hasNextPage'),
    hasPreviousPage: t.exposeBoolean('hasPreviousPage'),
    startCursor: t.string({ nullable: true, resolve: ({ jobs }) => cursorOf(jobs[0]) }),
    endCursor: t.string({ nullable: true, resolve: ({ jobs }) => cursorOf(jobs.at(-1)) }),
  }),
})

const SwapJobEdge = builder.objectRef<SwapJob>('SwapJobEdge').implement({
  extensions: declareCacheable('stored'),
  fields: (t) => ({
    cursor: t.string({ resolve: writeListCursor }),
    node: t.field({ type: SwapJobType, extensions: declareCost({ nodes: 0 }), resolve: (job) => job }),
  }),
})

const SwapJobConnection = builder.objectRef<JobPage>('SwapJobConnection').implement({
  extensions: declareCacheable('stored'),
  fields: (t) => ({
    edges: t.field({ type: [SwapJobEdge], resolve: ({ jobs }, _args, { spread }) => spread(jobs) }),
    nodes: t.field({
      type: [SwapJobType],
      extensions: declareCost({ nodes: 0 }),
      resolve: ({ jobs }, _args, { spread }) => spread(jobs),
    }),
    pageInfo: t.field({ type: PageInfo, resolve: (page) => page }),
    totalCount: t.int({
      description: 'Counted only if selected; at most 10000.',
      extensions: declareCost({ weight: SCAN_WEIGHT }),
      resolve: async (page) => page.count(),
    }),
  }),
})

builder.queryField('swapJobs', (t) =>
  t.field({
    type: SwapJobConnection,
    description: "The tenant's jobs, newest first. `first` or `last` is 1 to 100; the default is `first: 20`.",
    extensions: {
      ...declareCacheable('stored'),
      ...declareCost({
        weight: SCAN_WEIGHT,
        listSize: { assumedSize: DEFAULT_PAGE, slicingArguments: ['first', 'last'] },
        sizeOf: sizeOfPage,
        sizedFields: ['edges', 'nodes'],
        nodes: 'size',
      }),
    },
    args: {
      first: t.arg.int(),
      after: t.arg.string(),
      last: t.arg.int(),
      before: t.arg.string(),
      filter: t.arg({ type: SwapJobFilter }),
    },
    resolve: async (_root, { filter, ...page }, { viewer, useCases }) => useCases.listJobs(viewer, filter ?? {}, page),
  }),
)

/**
 * The size of the page, for its cost; null if the arguments do not set it. `first` and `last` are capped, because the
 * use case refuses larger ones with an error of its own.
 */
function sizeOfPage(args: FieldArguments): number | null {
  const { first, last } = args
  const size = typeof first === 'number' ? first : last
  return (
    countMembers(args, 'filter', 'ids') ?? (typeof size === 'number' ? Math.min(Math.max(0, size), MAX_PAGE) : null)
  )
}

function cursorOf(job: SwapJob | undefined): string | null {
  return job ? writeListCursor(job) : null
}
