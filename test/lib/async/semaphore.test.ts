import { expect, test } from 'vitest'
import { Semaphore } from '../../../src/lib/async/semaphore.ts'

/** Creates work that the test ends; `log` lists the work that has started. */
function createWork(semaphore: Semaphore) {
  const log: string[] = []
  const begin = (name: string, weight: number, key = '') => {
    let end = (_error?: Error) => {}
    const done = semaphore.run(key, weight, async () => {
      log.push(name)
      await new Promise<void>((resolve, reject) => {
        end = (error) => (error ? reject(error) : resolve())
      })
    })
    return { done, end: (error?: Error) => end(error) }
  }
  return { log, begin }
}

/** Lets all ready promises settle. */
const settle = async () => new Promise((resolve) => setImmediate(resolve))

test('a semaphore starts work while its weights fit, then in the order of the calls', async () => {
  const { log, begin } = createWork(new Semaphore(10))
  const [a, b, c, d] = [begin('a', 6), begin('b', 4), begin('c', 10), begin('d', 1)]
  await settle()
  expect(log).toEqual(['a', 'b'])
  a.end()
  await settle()
  // Small work does not overtake large work, which might otherwise never start.
  expect(log).toEqual(['a', 'b'])
  b.end()
  await settle()
  expect(log).toEqual(['a', 'b', 'c'])
  c.end()
  await settle()
  expect(log).toEqual(['a', 'b', 'c', 'd'])
  d.end()
  await Promise.all([a.done, b.done, c.done, d.done])
})

test('a semaphore caps a weight at the number of its permits', async () => {
  const { log, begin } = createWork(new Semaphore(2))
  const [a, b] = [begin('a', 50), begin('b', 1)]
  await settle()
  expect(log).toEqual(['a'])
  a.end()
  await settle()
  expect(log).toEqual(['a', 'b'])
  b.end()
  await Promise.all([a.done, b.done])
})

test('failed work releases its permits', async () => {
  const { log, begin } = createWork(new Semaphore(1))
  const [a, b] = [begin('a', 1), begin('b', 1)]
  await settle()
  a.end(new Error('it failed'))
  await expect(a.done).rejects.toThrow('it failed')
  await settle()
  expect(log).toEqual(['a', 'b'])
  b.end()
  await b.done
})

test('keys with waiting work take turns: one with much work delays another by one piece', async () => {
  const semaphore = new Semaphore(1)
  const { log, begin } = createWork(semaphore)
  const many = [1, 2, 3, 4].map((n) => begin(`a${n}`, 1, 'a'))
  const [b, c] = [begin('b1', 1, 'b'), begin('c1', 1, 'c')]
  await settle()
  expect([semaphore.countWaiting('a'), semaphore.countWaiting('b'), semaphore.countWaiting('x')]).toEqual([3, 1, 0])
  for (const work of [many[0], many[1], b, c, many[2], many[3]]) {
    work?.end()
    await settle()
  }
  expect(log).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'a4'])
  await Promise.all([...many, b, c].map(({ done }) => done))
})

test('work that reduces its weight releases permits at once, and the rest when it ends', async () => {
  const semaphore = new Semaphore(10)
  const { log, begin } = createWork(semaphore)
  let shrinkTo = (_weight: number) => {}
  let end = () => {}
  const shrunk = semaphore.run('', 10, async (shrink) => {
    shrinkTo = shrink
    await new Promise<void>((resolve) => {
      end = resolve
    })
  })
  const [a, b] = [begin('a', 6), begin('b', 7)]
  await settle()
  expect(log).toEqual([])
  shrinkTo(4)
  // The weight cannot grow again.
  shrinkTo(50)
  await settle()
  expect(log).toEqual(['a'])
  a.end()
  await settle()
  // Six of ten permits are free, and `b` needs seven.
  expect(log).toEqual(['a'])
  end()
  await settle()
  expect(log).toEqual(['a', 'b'])
  b.end()
  await Promise.all([shrunk, a.done, b.done])
})

test('a key holds at most its share of the permits, and work of another key can start', async () => {
  const { log, begin } = createWork(new Semaphore(4, 2))
  const [a1, a2, b] = [begin('a1', 3, 'a'), begin('a2', 1, 'a'), begin('b', 2, 'b')]
  await settle()
  expect(log).toEqual(['a1', 'b'])
  b.end()
  await settle()
  expect(log).toEqual(['a1', 'b'])
  a1.end()
  await settle()
  expect(log).toEqual(['a1', 'b', 'a2'])
  a2.end()
  await Promise.all([a1.done, a2.done, b.done])
})
