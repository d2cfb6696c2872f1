/** Callers that create swaps without a pause, and what the gateway has acknowledged to them. */
import { expect } from 'vitest'
import type { FakeUpstream } from '../support/fake-upstream.ts'
import type { RawDatabase } from '../support/raw-database.ts'
import type { TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const CALLERS = 4
const ENDS_AFTER_MS = 50
const PAGE = 100

export interface SeenJob {
  readonly id: string
  readonly status: string
  readonly done: boolean
  readonly result: { readonly url: string; readonly copy: { readonly sha256: string } | null } | null
}

/** What callers and the upstream know for sure at one moment. */
export interface Acknowledged {
  /** Every job whose creation was answered, as a later query returned it. */
  readonly jobs: readonly SeenJob[]
  /** Ids of upstream jobs whose hook was answered with 200. */
  readonly hooked: readonly string[]
}

export interface SwapLoad {
  /** Number of created jobs so far. */
  created(): number
  acknowledged(): Promise<Acknowledged>
  /** Resolves when the last call has its answer. */
  stop(): Promise<void>
}

/** Upstream jobs end soon, with a result that the gateway can copy; their hooks are sent until they are answered. */
export function scriptQuickSwaps(upstream: FakeUpstream): void {
  upstream.scriptJobs((_submit, n) => ({
    states: [
      {
        afterMs: ENDS_AFTER_MS,
        state: { status: 'SUCCESS', links: { cdnImage: `${upstream.url}/results/${n}.png` } },
      },
    ],
    hooks: { copies: 1, untilDelivered: true },
  }))
}

export function startSwaps({ graphql, upstream }: TestApp): SwapLoad {
  const ids: string[] = []
  const stopping = new AbortController()
  const create = async () => {
    while (!stopping.signal.aborted) {
      const targetImage = { url: `https://example.com/${Math.random()}.jpg` }
      const input = { targetImage, swapImage: { url: 'https://example.com/face.jpg' } }
      // Each caller waits for its answer.
      // oxlint-disable-next-line no-await-in-loop
      const { data } = await graphql(
        'mutation ($input: CreateSwapInput!) { createSwap(input: $input) { ... on CreateSwapSuccess { job { id } } } }',
        { input },
      )
      ids.push(data.createSwap.job.id)
    }
  }
  const callers = Array.from({ length: CALLERS }, create)
  return {
    created: () => ids.length,
    acknowledged: async () => {
      const hooked = upstream.hooks.filter(({ status }) => status === 200).map(({ id }) => id)
      return { hooked, jobs: await readJobs(graphql, [...ids]) }
    },
    stop: async () => {
      stopping.abort()
      await Promise.all(callers)
    },
  }
}

/** Reads jobs by id, in the order of the ids. @throws if one is unknown. */
export async function readJobs(graphql: TestApp['graphql'], ids: readonly string[]): Promise<readonly SeenJob[]> {
  const jobs: SeenJob[] = []
  for (let from = 0; from < ids.length; from += PAGE) {
    // oxlint-disable-next-line no-await-in-loop
    const { data } = await graphql(
      'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on SwapJob { id status done result { url copy { sha256 } } } } }',
      { ids: ids.slice(from, from + PAGE) },
    )
    jobs.push(...data.nodes)
  }
  expect(jobs.map((job) => job?.id)).toEqual(ids)
  return jobs
}

/**
 * Checks that a restored gateway has all that was acknowledged before the backup: every job, every end with its image,
 * and the end of every job whose hook was answered. The other jobs continue, and no job is submitted again.
 */
export async function expectRestored(
  { graphql, upstream }: TestApp,
  database: RawDatabase,
  { jobs, hooked }: Acknowledged,
): Promise<void> {
  const ids = jobs.map(({ id }) => id)
  const restored = new Map((await readJobs(graphql, ids)).map((job) => [job.id, job]))
  expect(jobs.filter(({ result }) => result?.copy).length).toBeGreaterThan(0)
  for (const { id, status, result } of jobs.filter(({ done }) => done)) {
    const job = restored.get(id)
    expect(job?.status).toBe(status)
    if (!result?.copy) continue
    expect(job?.result?.copy).toEqual(result.copy)
    // oxlint-disable-next-line no-await-in-loop
    expect((await fetch(job?.result?.url ?? '')).status).toBe(200)
  }
  await until(async () => (await readJobs(graphql, ids)).every(({ done }) => done))
  const rows = (await database.query(`select upstream_id from jobs where status = 'SUCCESS'`)) as UpstreamIdRow[]
  expect(rows.map(({ upstream_id }) => upstream_id)).toEqual(expect.arrayContaining([...hooked]))
  expect((await readJobs(graphql, ids)).filter(({ status }) => status !== 'SUCCESS')).toEqual([])
  expect(new Set(upstream.accepted.map(({ targetImage }) => targetImage)).size).toBe(upstream.accepted.length)
}

interface UpstreamIdRow {
  readonly upstream_id: string | null
}
