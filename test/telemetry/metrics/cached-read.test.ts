import { expect, test } from 'vitest'
import { CachedRead } from '../../../src/telemetry/metrics/cached-read.ts'
import { createDeferred } from '../../support/deferred.ts'

function open(read: () => Promise<number>, { ttlMs = 60_000, timeoutMs = 60_000 } = {}) {
  const failures: unknown[] = []
  return { cached: new CachedRead({ read, ttlMs, timeoutMs, onFailure: (error) => failures.push(error) }), failures }
}

test('a value is read once for all callers until it expires', async () => {
  let reads = 0
  const { cached } = open(async () => (reads += 1))
  expect(await Promise.all([cached.get(), cached.get()])).toEqual([1, 1])
  expect(await cached.get()).toBe(1)
  const expired = open(async () => (reads += 1), { ttlMs: 0 }).cached
  expect([await expired.get(), await expired.get()]).toEqual([2, 3])
})

test('a failed read is reported, returns null, and is repeated by the next caller', async () => {
  const answers = [Promise.reject(new Error('database is gone')), Promise.resolve(7)]
  const { cached, failures } = open(async () => answers.shift() ?? 0)
  expect(await cached.get()).toBeNull()
  expect(failures).toEqual([new Error('database is gone')])
  expect(await cached.get()).toBe(7)
})

test('a caller stops waiting for a read that takes too long, and the next one does not start another', async () => {
  const answer = createDeferred<number>()
  let reads = 0
  const read = async () => {
    reads += 1
    return answer.promise
  }
  const { cached, failures } = open(read, { timeoutMs: 1 })
  expect([await cached.get(), await cached.get()]).toEqual([null, null])
  expect(failures).toEqual([new Error('no response within 1 ms'), new Error('no response within 1 ms')])
  answer.resolve(3)
  await answer.promise
  expect(await cached.get()).toBe(3)
  expect(reads).toBe(1)
})
