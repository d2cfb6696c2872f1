import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createBackground } from '../../../src/lib/async/background.ts'
import { createDeferred } from '../../support/deferred.ts'

test('failed background work is reported by its name and does not affect other work', async () => {
  const failures: unknown[] = []
  const background = createBackground((what, error) => failures.push([what, error]))
  const error = new Error('it failed')
  background.run('fail at once', () => {
    throw error
  })
  background.run('fail later', async () => Promise.reject(error))
  background.run('succeed', async () => 'done')
  await background.settled()
  expect(failures).toEqual([
    ['fail at once', error],
    ['fail later', error],
  ])
})

test('settled() resolves when all background work has ended', async () => {
  const background = createBackground(() => {})
  const [first, second] = [createDeferred<void>(), createDeferred<void>()]
  background.run('first', async () => first.promise)
  background.run('second', async () => second.promise)
  const order: string[] = []
  const settled = background.settled().then(() => order.push('settled'))
  first.resolve()
  await first.promise
  order.push('first ended')
  second.resolve()
  await settled
  expect(order).toEqual(['first ended', 'settled'])
})

test('settled() also waits for background work that other work has started meanwhile', async () => {
  const background = createBackground(() => {})
  const [outer, inner] = [createDeferred<void>(), createDeferred<void>()]
  const order: string[] = []
  background.run('outer', async () => {
    await outer.promise
    background.run('inner', async () => inner.promise.then(() => order.push('inner ended')))
  })
  const settled = background.settled().then(() => order.push('settled'))
  outer.resolve()
  await nextTurn()
  inner.resolve()
  await settled
  expect(order).toEqual(['inner ended', 'settled'])
})
