import { describe, expect, test } from 'vitest'
import { SWAP_JOB_STATUSES } from '../../src/domain/swap-job.ts'
import { toSwapDocument } from '../../src/domain/swap-document.ts'
import { makeSwapJob } from '../support/jobs.ts'

const CDN = 'https://cdn.example.com/a.jpg'
const DISCORD = 'https://discord.example.com/a.jpg'

test('a job is shown to clients of the reference as ON_QUEUE until it ends, and as FAILED if it ends without a result', () => {
  const shown = SWAP_JOB_STATUSES.map((status) => [status, toSwapDocument(makeSwapJob(0, { status }), null).status])
  expect(Object.fromEntries(shown)).toEqual({
    PENDING: 'ON_QUEUE',
    UNCONFIRMED: 'ON_QUEUE',
    ON_QUEUE: 'ON_QUEUE',
    SUCCESS: 'SUCCESS',
    FAILED: 'FAILED',
    CANCELED: 'FAILED',
    LOST: 'FAILED',
  })
})

test('a failed job is shown with the message of its failure, without data', () => {
  const failure = { code: 'FACE_NOT_FOUND', message: 'No face was found.', retryable: false } as const
  const job = makeSwapJob(0, { id: 'job_1', status: 'FAILED', failure })
  expect(toSwapDocument(job, null)).toEqual({
    status: 'FAILED',
    message: 'No face was found.',
    jobId: 'job_1',
    data: null,
  })
})

describe('a successful job', () => {
  const job = makeSwapJob(0, { id: 'job_1', status: 'SUCCESS', charge: { state: 'CHARGED', quota: 3 } })

  test('is shown with its image addresses, its links and its price', () => {
    expect(toSwapDocument(job, { cdnImage: CDN, discordImage: DISCORD })).toMatchObject({
      message: null,
      data: {
        jobId: 'job_1',
        targetImage: 'https://example.com/t.jpg',
        swapImage: 'https://example.com/f.jpg',
        cdnImage: CDN,
        discordImage: DISCORD,
        quota: 3,
      },
    })
  })

  test.each([
    ['the CDN link', { cdnImage: CDN, discordImage: null }, CDN],
    ['the Discord link', { cdnImage: null, discordImage: DISCORD }, DISCORD],
  ])('is shown with %s twice if it is the only one', (_what, links, link) => {
    expect(toSwapDocument(job, links).data).toMatchObject({ cdnImage: link, discordImage: link })
  })
})
