import {
  OBSERVATION_SOURCES,
  type SwapCharge,
  type SwapFailure,
  SWAP_CHARGE_STATES,
  SWAP_FAILURE_CODES,
  SWAP_JOB_STATUSES,
  type SwapJob,
  type ImageOrigin,
  type TimelineEntry,
  isDone,
} from '../../../domain/swap-job.ts'
import type { Progress } from '../../../jobs/service-status.ts'
import { branded } from '../branded.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'
import { declareCost } from '../field-cost.ts'
import { SwapResult } from './swap-result.ts'
import { SwapUploadType } from './upload.ts'

export const SwapJobStatus = builder.enumType('SwapJobStatus', {
  description:
    "Where a job is. ON_QUEUE, SUCCESS and FAILED are the upstream's own words. SUCCESS, FAILED, CANCELED and LOST are final: never left.",
  values: describeValues(SWAP_JOB_STATUSES, {
    PENDING: 'Held by the gateway; can still be canceled for nothing while it is not being sent.',
    UNCONFIRMED: 'Sent, but the answer was lost. It is not sent again: the hook that only this job has settles it.',
    ON_QUEUE: 'The upstream has it and works on it.',
    SUCCESS: '`result` is set.',
    FAILED: '`failure` is set.',
    CANCELED: 'Stopped before the upstream had it.',
    LOST: 'The upstream never told the outcome; whether it charged may be unknown.',
  }),
})

const SwapFailureCode = builder.enumType('SwapFailureCode', {
  values: describeValues(SWAP_FAILURE_CODES, {
    FACE_NOT_FOUND: 'No usable face where one is needed.',
    IMAGE_NOT_READABLE: 'An image could not be read: it is damaged, cut short, or the upstream does not say more.',
    IMAGE_ADDRESS_NOT_ALLOWED: 'The address of an image, or one that it redirects to, is not allowed.',
    IMAGE_HOST_NOT_FOUND: 'The host name of an image could not be resolved.',
    IMAGE_CONNECTION_REFUSED: 'The host of an image refused the connection.',
    IMAGE_CONNECTION_FAILED: 'The host of an image could not be reached, or the connection broke off.',
    IMAGE_TLS_FAILED: "No secure connection to an image's host: its certificate or TLS version is not valid.",
    IMAGE_TIMED_OUT: 'An image did not arrive in time.',
    IMAGE_NOT_FOUND: 'The host of an image answered with 404 or 410.',
    IMAGE_ACCESS_DENIED: 'The host of an image answered with 401, 402, 403 or 451.',
    IMAGE_HOST_FAILED: 'The host of an image answered with another error, or not with valid HTTP.',
    IMAGE_TOO_MANY_REDIRECTS: 'The host of an image redirected too many times.',
    IMAGE_TOO_LARGE: 'An image has too many bytes, pixels or frames.',
    IMAGE_TYPE_NOT_ALLOWED: 'The data is not a JPEG, PNG or WebP image.',
    CONTENT_REFUSED: 'Refused on grounds of content.',
    UPSTREAM_QUOTA_EXHAUSTED: 'The account behind the gateway has no quota.',
    UPSTREAM_REFUSED: 'The upstream refused the request.',
    UPSTREAM_FAILED: 'The upstream gave up or broke.',
    NOT_SUBMITTED: 'Held in the gateway for longer than it may wait; never sent.',
    CANCELED: 'Canceled by the caller.',
    NO_OUTCOME: 'No outcome ever came.',
    OTHER: 'None of the above.',
  }),
})

const SwapChargeState = builder.enumType('SwapChargeState', {
  values: describeValues(SWAP_CHARGE_STATES, {
    NOT_CHARGED: 'Never reached the upstream, or was refused.',
    PENDING: 'Not settled yet.',
    CHARGED: 'The upstream has charged.',
    UNKNOWN: 'The outcome was lost and never recovered.',
  }),
})

const SwapObservationSource = builder.enumType('SwapObservationSource', {
  description: 'How the gateway came to know of a state.',
  values: describeValues(OBSERVATION_SOURCES, {
    CALLER: 'A call by the owner.',
    SUBMIT: "The upstream's answer to the submit.",
    HOOK: "The upstream's hook, confirmed by a fetch.",
    FETCH: 'A fetch asked for by a query.',
    RECONCILER: "A scheduled look of the gateway's own: a fetch, or a deadline that was over.",
  }),
})

const SwapImageKind = builder.enumType('SwapImageKind', { values: ['URL', 'UPLOAD', 'RESULT'] as const })

/** An image of a job as its caller gave it. */
interface GivenImage {
  readonly url: string
  readonly origin: ImageOrigin
}

const SwapImage = builder.objectRef<GivenImage>('SwapImage')

const SwapFailureType = builder.objectRef<SwapFailure>('SwapFailure').implement({
  extensions: declareCacheable('stored'),
  description: 'Why there is no outcome.',
  fields: (t) => ({
    code: t.expose('code', { type: SwapFailureCode }),
    message: t.exposeString('message', { description: 'For people; not to be parsed.' }),
    retryable: t.exposeBoolean('retryable', { description: 'True if the same input may work on another try.' }),
  }),
})

const SwapChargeType = builder.objectRef<SwapCharge>('SwapCharge').implement({
  extensions: declareCacheable('stored'),
  description: "In the upstream's units (`quota`).",
  fields: (t) => ({
    state: t.expose('state', { type: SwapChargeState }),
    quota: t.exposeInt('quota', { nullable: true, description: 'Units spent; null while not known.' }),
  }),
})

const SwapTimelineEntry = builder.objectRef<TimelineEntry>('SwapTimelineEntry').implement({
  extensions: declareCacheable('stored'),
  fields: (t) => ({
    version: t.exposeInt('version'),
    status: t.expose('status', { type: SwapJobStatus }),
    at: t.expose('at', { type: 'DateTime' }),
    source: t.expose('source', { type: SwapObservationSource }),
  }),
})

const SwapProgress = builder.objectRef<Progress>('SwapProgress').implement({
  extensions: declareCacheable('never'),
  description: 'Drawn from recent jobs, since the upstream tells nothing.',
  fields: (t) => ({
    ahead: t.exposeInt('ahead', {
      nullable: true,
      description:
        "How many swaps of the gateway's queue would be submitted before this one if no more were created: swaps of the tenant with the fewest in flight go first. At most 1,000. Swaps that cannot be submitted yet count too, so it may be fewer. Null once submitted.",
    }),
    medianDoneAt: t.expose('medianDoneAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it is done if it takes as long as the median of late.',
    }),
    p90DoneAt: t.expose('p90DoneAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it is done if it takes as long as nine in ten of late.',
    }),
    overdue: t.exposeBoolean('overdue', {
      description: 'True when it has taken longer than nine in ten of late. The gateway keeps looking.',
    }),
  }),
})

const OF_JOB = declareCacheable('job')

/** The entity: readable from here by `node`, and from other subgraphs by its id. */
export const SwapJobType = builder.node(builder.objectRef<SwapJob>('SwapJob'), {
  description: 'A face swap, from the moment it was asked for. The entity other subgraphs may refer to.',
  extensions: { federation: '@key(fields: "id")', ...declareCacheable('never') },
  id: {
    extensions: OF_JOB,
    resolve: (job) => job.id,
    description: 'Global id; known before the upstream has answered.',
  },
  loadMany: (ids, { loaders }) => ids.map(async (id) => branded('SwapJob', await loaders.job.load(id))),
  // Longer than 80 lines: one entry for each field of the type.
  fields: (t) => ({
    jobId: t.exposeString('upstreamId', {
      extensions: OF_JOB,
      nullable: true,
      description: "The upstream's id; null until it is known.",
    }),
    status: t.expose('status', { extensions: OF_JOB, type: SwapJobStatus }),
    done: t.boolean({
      extensions: OF_JOB,
      description: 'True when `status` will not change again.',
      resolve: ({ status }) => isDone(status),
    }),
    version: t.exposeInt('version', {
      extensions: OF_JOB,
      description: 'Counts up by one with each change. Of two states, the higher is the newer.',
    }),
    upstreamStatus: t.exposeString('upstreamStatus', {
      extensions: OF_JOB,
      nullable: true,
      description: 'The word the upstream last used, as it came.',
    }),
    targetImage: t.field({
      type: SwapImage,
      nullable: true,
      description: 'The template image whose face is replaced. Null once forgotten.',
      resolve: ({ targetImageUrl: url, targetOrigin: origin }) => (url === '' ? null : { url, origin }),
    }),
    swapImage: t.field({
      type: SwapImage,
      nullable: true,
      description: 'The image the face is taken from. Null once forgotten.',
      resolve: ({ swapImageUrl: url, swapOrigin: origin }) => (url === '' ? null : { url, origin }),
    }),
    result: t.field({
      // Null before the job is done.
      extensions: OF_JOB,
      type: SwapResult,
      nullable: true,
      description: 'Set when SUCCESS, unless forgotten.',
      resolve: ({ links, copyId, mirrorFailure }) => links && { links, copyId, mirrorFailure },
    }),
    failure: t.expose('failure', {
      extensions: OF_JOB,
      type: SwapFailureType,
      nullable: true,
      description: 'Set when FAILED, CANCELED or LOST.',
    }),
    progress: t.field({
      type: SwapProgress,
      nullable: true,
      description: 'An estimate while not done; null afterwards.',
      extensions: declareCost({ weight: 1 }),
      resolve: async (job, _args, { useCases }) => useCases.status.estimate(job),
    }),
    charge: t.expose('charge', { extensions: OF_JOB, type: SwapChargeType }),
    clientReference: t.exposeString('clientReference', {
      extensions: OF_JOB,
      nullable: true,
      description: "The caller's own name for the job.",
    }),
    tags: t.exposeStringList('tags', { extensions: OF_JOB }),
    timeline: t.field({
      type: [SwapTimelineEntry],
      description: 'Every state the job went through, oldest first, and how the gateway learned of it.',
      extensions: { ...declareCacheable('stored'), ...declareCost({ listSize: { assumedSize: 5 } }) },
      resolve: (job, _args, { loaders }) => loaders.timeline.load(job.id),
    }),
    createdAt: t.expose('createdAt', { extensions: OF_JOB, type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { extensions: OF_JOB, type: 'DateTime' }),
    submittedAt: t.expose('submittedAt', {
      extensions: OF_JOB,
      type: 'DateTime',
      nullable: true,
      description: 'When the upstream was known to have the job.',
    }),
    finishedAt: t.expose('finishedAt', { extensions: OF_JOB, type: 'DateTime', nullable: true }),
    purgeAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the gateway will erase its images and links by itself.',
      resolve: ({ purgeAt, forgottenAt }) => (forgottenAt === null ? purgeAt : null),
    }),
    forgottenAt: t.expose('forgottenAt', { type: 'DateTime', nullable: true }),
  }),
})

// After the job, which it may lead to.
SwapImage.implement({
  extensions: declareCacheable('never'),
  description: 'An image given by the caller.',
  fields: (t) => ({
    kind: t.field({
      type: SwapImageKind,
      resolve: ({ origin }) => (origin.uploadId ? 'UPLOAD' : origin.resultOf ? 'RESULT' : 'URL'),
    }),
    url: t.field({
      type: 'URL',
      nullable: true,
      description: 'Works for the caller: the address as given, or a short-lived signed one for an upload or a result.',
      resolve: async ({ url, origin }, _args, { loaders, useCases }) => {
        if (origin.uploadId !== null) {
          const upload = await loaders.upload.load(origin.uploadId)
          return upload?.status === 'READY' ? useCases.addressOfImage(upload, {}) : null
        }
        const job = origin.resultOf === null ? null : await loaders.job.load(origin.resultOf)
        const copy = job?.copyId == null ? null : await loaders.image.load(job.copyId)
        return copy?.status === 'READY' ? useCases.addressOfImage(copy, {}) : url
      },
    }),
    upload: t.field({
      type: SwapUploadType,
      nullable: true,
      resolve: ({ origin }, _args, { loaders }) =>
        origin.uploadId === null ? null : loaders.upload.load(origin.uploadId),
    }),
    resultOf: t.field({
      type: SwapJobType,
      nullable: true,
      description: 'The job whose result was used.',
      resolve: ({ origin }, _args, { loaders }) =>
        origin.resultOf === null ? null : loaders.job.load(origin.resultOf),
    }),
  }),
})

// After the type that it leads to again.
builder.objectField(SwapJobType, 'retryOf', (t) =>
  t.field({
    type: SwapJobType,
    nullable: true,
    description: 'The job this one repeats.',
    resolve: ({ retryOf }, _args, { loaders }) => (retryOf === null ? null : loaders.job.load(retryOf)),
  }),
)

/** Enum values with their descriptions; the record is checked to name every value. */
function describeValues<const Value extends string>(
  values: readonly Value[],
  descriptions: Readonly<Record<Value, string>>,
): { [V in Value]: { description: string } } {
  // Object.fromEntries forgets the keys' type.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.fromEntries(values.map((value) => [value, { description: descriptions[value] }])) as {
    [V in Value]: { description: string }
  }
}
