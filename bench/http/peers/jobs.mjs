/**
 * The resolvers of all peers: the part of our schema that the scenarios use, over jobs in memory. Finished jobs are
 * read from memory, all others are fetched from the upstream. Only new jobs are written to disk.
 */
import { randomUUID } from 'node:crypto'
import DataLoader from 'dataloader'
import { openJobs } from '../limits/durable.mjs'
import { fetchJob, submitSwap } from '../upstream.mjs'
import { setup } from '../setup.mjs'

export const typeDefs = /* GraphQL */ `
  scalar DateTime
  scalar URL

  type Query {
    swapJob(id: ID!): SwapJob
    swapJobs(first: Int): SwapJobConnection!
  }

  type Mutation {
    createSwap(input: CreateSwapInput!): CreateSwapResult!
  }

  type Subscription {
    swapJobUpdated(id: ID!): SwapJob!
  }

  type SwapJob {
    id: ID!
    status: SwapJobStatus!
    done: Boolean!
    version: Int!
    createdAt: DateTime!
    result: SwapResult
    failure: SwapFailure
    charge: SwapCharge!
  }

  enum SwapJobStatus {
    PENDING
    UNCONFIRMED
    ON_QUEUE
    SUCCESS
    FAILED
    CANCELED
    LOST
  }

  type SwapResult {
    url: URL
  }

  type SwapFailure {
    code: String!
    message: String!
  }

  type SwapCharge {
    state: SwapChargeState!
    quota: Int
  }

  enum SwapChargeState {
    NOT_CHARGED
    PENDING
    CHARGED
    UNKNOWN
  }

  type SwapJobConnection {
    edges: [SwapJobEdge!]!
  }

  type SwapJobEdge {
    cursor: String!
    node: SwapJob!
  }

  input CreateSwapInput {
    targetImage: SwapImageInput!
    swapImage: SwapImageInput!
  }

  input SwapImageInput {
    url: URL
    uploadId: ID
    resultOf: ID
  }

  union CreateSwapResult = CreateSwapSuccess | SwapInvalidInputError | SwapUpstreamError

  type CreateSwapSuccess {
    job: SwapJob!
  }

  interface SwapError {
    code: String!
    message: String!
  }

  type SwapInvalidInputError implements SwapError {
    code: String!
    message: String!
  }

  type SwapUpstreamError implements SwapError {
    code: String!
    message: String!
  }
`

/** By id, oldest first. */
const jobs = new Map(setup.jobs.toReversed().map((job) => [job.id, job]))
/** Our job ids by upstream id. */
const idOf = new Map(setup.jobs.map(({ id, jobId }) => [jobId, id]))

/** Creates a loader for each request. */
export function createContext() {
  return { loader: new DataLoader(readJobs) }
}

export const resolvers = {
  Query: {
    swapJob: (_root, { id }, { loader }) => loader.load(id),
    swapJobs: (_root, { first = 20 }) => ({
      edges: [...jobs.values()]
        .slice(-first)
        .toReversed()
        .map((node) => ({ node, cursor: toCursor(node) })),
    }),
  },
  Mutation: {
    createSwap: async (_root, { input: { targetImage, swapImage } }) => {
      if (!targetImage.url || !swapImage.url) {
        return { __typename: 'SwapInvalidInputError', code: 'INVALID_INPUT', message: 'Give two addresses.' }
      }
      const job = await createJob(targetImage.url, swapImage.url)
      return { __typename: 'CreateSwapSuccess', job }
    },
  },
}

/** @param {readonly string[]} ids */
async function readJobs(ids) {
  return Promise.all(ids.map(readJob))
}

/** @param {string} id */
async function readJob(id) {
  const job = jobs.get(id)
  if (!job) return null
  if (job.done) return job
  const { status } = await fetchJob(job.jobId)
  return { ...job, status, done: status !== 'ON_QUEUE' }
}

/** @type {ReturnType<typeof openJobs> | undefined} */
let stored

/**
 * Writes the job to disk before its submit, because a submit costs money.
 * @param {string} targetImage
 * @param {string} swapImage
 */
async function createJob(targetImage, swapImage) {
  stored ??= openJobs()
  const id = `job_${randomUUID()}`
  await stored.record(id, targetImage, swapImage)
  const jobId = await submitSwap(targetImage, swapImage)
  await stored.accept(id, jobId)
  /** @type {import('../setup.mjs').Job} */
  const job = {
    id,
    jobId,
    status: 'ON_QUEUE',
    done: false,
    version: 2,
    createdAt: new Date().toISOString(),
    result: null,
    failure: null,
    charge: { state: 'PENDING', quota: null },
  }
  jobs.set(job.id, job)
  idOf.set(job.jobId, job.id)
  return job
}

/** @param {string} id */
export function findJob(id) {
  return jobs.get(id)
}

/**
 * Handles a hook: fetches the job once and stores the result.
 * @param {string} jobId the upstream's
 * @returns {Promise<import('../setup.mjs').Job | null>} the changed job; null if nothing changed
 */
export async function confirmJob(jobId) {
  const job = jobs.get(idOf.get(jobId) ?? '')
  if (!job || job.done) return null
  const { status, data } = await fetchJob(jobId)
  if (status !== 'SUCCESS') return null
  const charge = { state: 'CHARGED', quota: data.quota }
  const ended = { ...job, status, done: true, version: job.version + 1, result: { url: data.cdnImage }, charge }
  jobs.set(job.id, ended)
  return ended
}

/** @param {import('../setup.mjs').Job} job */
function toCursor({ id, createdAt }) {
  return Buffer.from(`${createdAt} ${id}`).toString('base64url')
}
