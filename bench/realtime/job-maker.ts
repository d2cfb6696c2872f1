/** Creates swaps at measured servers, and finds the upstream's job of each. */
import type { AcceptedJob, FakeUpstream } from '../../test/support/fake-upstream.ts'
import { makeMany } from './clients.ts'

export interface BenchJob {
  readonly id: string
  readonly accepted: AcceptedJob
}

const CREATE = `mutation ($input: CreateSwapInput!) { createSwap(input: $input) { ... on CreateSwapSuccess { job { id } } } }`

/** Number of makers; it makes image URLs unique, because makers may share an upstream. */
let makers = 0

/** @param urls servers that share the jobs, used in turn. */
export function createJobMaker(
  urls: readonly string[],
  upstream: FakeUpstream,
): (count: number, input?: object) => Promise<BenchJob[]> {
  makers += 1
  const maker = makers
  let created = 0
  const createJob = async (over: object): Promise<BenchJob> => {
    created += 1
    const targetImage = `https://example.com/${maker}/${created}.jpg`
    const input = { targetImage: { url: targetImage }, swapImage: { url: 'https://example.com/face.jpg' }, ...over }
    const response = await fetch(`${urls[created % urls.length]}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: CREATE, variables: { input } }),
    })
    const { data } = (await response.json()) as {
      readonly data: { readonly createSwap: { readonly job: { readonly id: string } } }
    }
    // From the newest on, because the job has just arrived.
    const accepted = upstream.accepted.findLast((job) => job.targetImage === targetImage)
    if (!accepted) throw new Error('the upstream has not accepted the job')
    return { id: data.createSwap.job.id, accepted }
  }
  return async (count, input = {}) => makeMany(count, async () => createJob(input))
}
