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
import { hasScope } from '../../../auth/viewer.ts'
import { branded } from '../branded.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'
import { describeValues } from '../describe-values.ts'
import { declareCost } from '../field-cost.ts'
import { SwapProgress } from './swap-progress.ts'
import { SwapResult } from './swap-result.ts'
import { SwapUploadType } from './upload.ts'

export const SwapJobStatus = builder.enumType('SwapJobStatus', {
  description:
    "Status of a job. ON_QUEUE, SUCCESS and FAILED are the upstream's terms. SUCCESS, FAILED, CANCELED and LOST are final.",
  values: describeValues(SWAP_JOB_STATUSES, {
    PENDING: 'Queued in the gateway. It can be canceled without charge until it is submitted.',
    UNCONFIRMED:
      "Submitted, but the upstream's answer was lost. It is not submitted again; the job's own hook settles it.",
    ON_QUEUE: 'The upstream accepted the job and works on it.',
    SUCCESS: 'The swap succeeded; `result` has the image.',
    FAILED: 'The swap failed; `failure` says why.',
    CANCELED: 'Canceled before it was submitted.',
    LOST: 'No outcome arrived before the deadline; whether the upstream charged may be unknown.',
  }),
})

const SwapFailureCode = builder.enumType('SwapFailureCode', {
  values: describeValues(SWAP_FAILURE_CODES, {
    FACE_NOT_FOUND: 'An image has no usable face.',
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
    CONTENT_REFUSED: 'The upstream refused the content of an image.',
    UPSTREAM_QUOTA_EXHAUSTED: 'The account behind the gateway has no quota.',
    UPSTREAM_REFUSED: 'The upstream refused the request.',
    UPSTREAM_FAILED: 'The upstream failed.',
    NOT_SUBMITTED: 'The swap could not be submitted before its deadline.',
    CANCELED: 'Canceled by the caller.',
    NO_OUTCOME: 'No outcome arrived before the deadline.',
    OTHER: 'None of the above.',
  }),
})

const SwapChargeState = builder.enumType('SwapChargeState', {
  values: describeValues(SWAP_CHARGE_STATES, {
    NOT_CHARGED: 'The job was never submitted, or the upstream refused it.',
    PENDING: 'Not known yet.',
    CHARGED: 'The upstream charged for the job.',
    UNKNOWN: 'The outcome was lost, so the charge stays unknown.',
  }),
})

const SwapObservationSource = builder.enumType('SwapObservationSource', {
  description: 'How the gateway learned of a status.',
  values: describeValues(OBSERVATION_SOURCES, {
    CALLER: 'A call of the tenant.',
    SUBMIT: "The upstream's answer to the submit.",
    HOOK: "The upstream's hook, confirmed by a fetch.",
    FETCH: 'A fetch that a query caused.',
    RECONCILER: 'A scheduled fetch by the gateway, or a deadline that passed.',
  }),
})

const SwapImageKind = builder.enumType('SwapImageKind', { values: ['URL', 'UPLOAD', 'RESULT'] as const })

/** An input image, as the caller gave it. */
interface GivenImage {
  readonly url: string
  readonly origin: ImageOrigin
}

const SwapImage = builder.objectRef<GivenImage>('SwapImage')

/** A job's failure, with the upstream's own words. */
type FailureOfJob = SwapFailure & Pick<SwapJob, 'upstreamMessage'>

const SwapFailureType = builder.objectRef<FailureOfJob>('SwapFailure').implement({
  extensions: declareCacheable('stored'),
  description: 'Why the job has no result.',
  fields: (t) => ({
    code: t.expose('code', { type: SwapFailureCode }),
    message: t.exposeString('message', { description: 'A message for people; its text may change.' }),
    retryable: t.exposeBoolean('retryable', { description: 'Whether the same input may succeed in a new job.' }),
    upstreamMessage: t.string({
      // Depends on the scopes of the viewer.
      extensions: declareCacheable('never'),
      nullable: true,
      description:
        "The upstream's own words, without URLs, host names and keys; at most 300 characters. Null without the scope `swap:admin`, if there are none, and once the job is forgotten.",
      resolve: ({ upstreamMessage }, _args, { viewer }) => (hasScope(viewer, 'swap:admin') ? upstreamMessage : null),
    }),
  }),
})

const SwapChargeType = builder.objectRef<SwapCharge>('SwapCharge').implement({
  extensions: declareCacheable('stored'),
  description: "What the swap cost, in the upstream's units (`quota`).",
  fields: (t) => ({
    state: t.expose('state', { type: SwapChargeState }),
    quota: t.exposeInt('quota', { nullable: true, description: 'Units spent; null while unknown.' }),
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

const OF_JOB = declareCacheable('job')

/** A Relay node and a federation entity, both identified by `id`. */
export const SwapJobType = builder.node(builder.objectRef<SwapJob>('SwapJob'), {
  description: 'A face swap. An entity that other subgraphs can extend by its `id`.',
  extensions: { federation: '@key(fields: "id")', ...declareCacheable('never') },
  id: {
    extensions: OF_JOB,
    resolve: (job) => job.id,
    description: 'Global id, assigned before the job is submitted.',
  },
  loadMany: (ids, { loaders }) => ids.map(async (id) => branded('SwapJob', await loaders.job.load(id))),
  // Longer than 80 lines: one entry for each field of the type.
  fields: (t) => ({
    jobId: t.exposeString('upstreamId', {
      extensions: OF_JOB,
      nullable: true,
      description: "The upstream's id; null until the upstream has accepted the job.",
    }),
    status: t.expose('status', { extensions: OF_JOB, type: SwapJobStatus }),
    done: t.boolean({
      extensions: OF_JOB,
      description: 'Whether `status` is final.',
      resolve: ({ status }) => isDone(status),
    }),
    version: t.exposeInt('version', {
      extensions: OF_JOB,
      description: 'Increases by one with each change; of two states, the one with the higher version is newer.',
    }),
    upstreamStatus: t.exposeString('upstreamStatus', {
      extensions: OF_JOB,
      nullable: true,
      description: 'The last status reported by the upstream, unchanged.',
    }),
    targetImage: t.field({
      type: SwapImage,
      nullable: true,
      description: 'The image whose face is replaced. Null once the job is forgotten.',
      resolve: ({ targetImageUrl: url, targetOrigin: origin }) => (url === '' ? null : { url, origin }),
    }),
    swapImage: t.field({
      type: SwapImage,
      nullable: true,
      description: 'The image that the face is taken from. Null once the job is forgotten.',
      resolve: ({ swapImageUrl: url, swapOrigin: origin }) => (url === '' ? null : { url, origin }),
    }),
    result: t.field({
      // `job`, although links expire: the result is null until the job is done.
      extensions: OF_JOB,
      type: SwapResult,
      nullable: true,
      description: 'Set if the status is SUCCESS, until the job is forgotten.',
      resolve: ({ links, copyId, mirrorFailure }) => links && { links, copyId, mirrorFailure },
    }),
    failure: t.field({
      extensions: OF_JOB,
      type: SwapFailureType,
      nullable: true,
      description: 'Set if the status is FAILED, CANCELED or LOST.',
      resolve: ({ failure, upstreamMessage }) => failure && { ...failure, upstreamMessage },
    }),
    progress: t.field({
      type: SwapProgress,
      nullable: true,
      description: 'An estimate; null once the job is done.',
      extensions: declareCost({ weight: 1 }),
      resolve: async (job, _args, { useCases }) => useCases.status.estimate(job),
    }),
    charge: t.expose('charge', { extensions: OF_JOB, type: SwapChargeType }),
    clientReference: t.exposeString('clientReference', {
      extensions: OF_JOB,
      nullable: true,
      description: "The caller's own reference for the job.",
    }),
    tags: t.exposeStringList('tags', { extensions: OF_JOB }),
    timeline: t.field({
      type: [SwapTimelineEntry],
      description: 'Every status of the job, oldest first, and how the gateway learned of it.',
      extensions: { ...declareCacheable('stored'), ...declareCost({ listSize: { assumedSize: 5 } }) },
      resolve: (job, _args, { loaders }) => loaders.timeline.load(job.id),
    }),
    createdAt: t.expose('createdAt', { extensions: OF_JOB, type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { extensions: OF_JOB, type: 'DateTime' }),
    submittedAt: t.expose('submittedAt', {
      extensions: OF_JOB,
      type: 'DateTime',
      nullable: true,
      description: 'When the upstream accepted the job.',
    }),
    finishedAt: t.expose('finishedAt', { extensions: OF_JOB, type: 'DateTime', nullable: true }),
    purgeAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the gateway erases the images and links of the job.',
      resolve: ({ purgeAt, forgottenAt }) => (forgottenAt === null ? purgeAt : null),
    }),
    forgottenAt: t.expose('forgottenAt', { type: 'DateTime', nullable: true }),
  }),
})

// Implemented after SwapJobType, which it refers to.
SwapImage.implement({
  extensions: declareCacheable('never'),
  description: 'An input image.',
  fields: (t) => ({
    kind: t.field({
      type: SwapImageKind,
      resolve: ({ origin }) => (origin.uploadId ? 'UPLOAD' : origin.resultOf ? 'RESULT' : 'URL'),
    }),
    url: t.field({
      type: 'URL',
      nullable: true,
      description:
        'A URL that the caller can open: the given one, or a short-lived signed URL for an upload or a result.',
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
      description: 'The job whose result is the image.',
      resolve: ({ origin }, _args, { loaders }) =>
        origin.resultOf === null ? null : loaders.job.load(origin.resultOf),
    }),
  }),
})

// Added after SwapJobType is defined, because the field refers to its own type.
builder.objectField(SwapJobType, 'retryOf', (t) =>
  t.field({
    type: SwapJobType,
    nullable: true,
    description: 'The job that this job retries.',
    resolve: ({ retryOf }, _args, { loaders }) => (retryOf === null ? null : loaders.job.load(retryOf)),
  }),
)
