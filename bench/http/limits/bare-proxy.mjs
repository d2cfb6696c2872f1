/** Lower limit of requests that need the upstream: one fetch per job, and a JSON response. No GraphQL. */
import { setup } from '../setup.mjs'
import { fetchJob } from '../upstream.mjs'
import { serve } from './serve.mjs'

const MEMBERS = 100
const jobs = new Map(setup.jobs.map((job) => [job.id, job]))

serve(async (body) => {
  const { variables } = JSON.parse(body)
  if ('id' in variables) return `{"data":{"swapJob":${await writeJob(variables.id, writeWhole)}}}`
  const texts = await Promise.all(Object.values(variables).map((id) => writeJob(id, writeState)))
  return `{"data":{${Array.from({ length: MEMBERS }, (_unused, n) => `"a${n}":${texts[n % texts.length]}`).join()}}}`
})

/**
 * @param {string} id
 * @param {(job: import('../setup.mjs').Job, status: string) => object} write
 */
async function writeJob(id, write) {
  const job = jobs.get(id)
  if (!job) return 'null'
  const { status } = await fetchJob(job.jobId)
  return JSON.stringify(write(job, status))
}

/** @type {Parameters<typeof writeJob>[1]} */
function writeState({ id, version }, status) {
  return { id, status, done: status !== 'ON_QUEUE', version }
}

/** @type {Parameters<typeof writeJob>[1]} */
function writeWhole(job, status) {
  return { ...writeState(job, status), result: job.result, charge: job.charge }
}
