/**
 * Lower limit of `createSwap`: writes the job to disk before the submit, and the upstream's id before the response. No
 * GraphQL, and none of the gateway's other guarantees.
 */
import { randomUUID } from 'node:crypto'
import { submitSwap } from '../upstream.mjs'
import { openJobs } from './durable.mjs'
import { serve } from './serve.mjs'

const jobs = openJobs()

serve(async (body) => {
  const { targetImage, swapImage } = JSON.parse(body).variables.input
  const id = `job_${randomUUID()}`
  await jobs.record(id, targetImage.url, swapImage.url)
  const jobId = await submitSwap(targetImage.url, swapImage.url)
  await jobs.accept(id, jobId)
  return JSON.stringify({ data: { createSwap: { job: { id, status: 'ON_QUEUE', done: false, version: 2 } } } })
})
