import { expect, test } from 'vitest'
import { createClosers } from '../../../src/lib/async/closers.ts'

test('resources are closed in the reverse order of opening, one after the other', async () => {
  const closers = createClosers()
  const closed: string[] = []
  closers.add(() => {
    closed.push('first')
  })
  closers.add(async () => {
    await Promise.resolve()
    closed.push('second')
  })
  await closers.closeAll()
  expect(closed).toEqual(['second', 'first'])
  await closers.closeAll()
  expect(closed).toHaveLength(2)
})

test('a resource that fails to close does not leave other resources open', async () => {
  const closers = createClosers()
  let closed = false
  closers.add(() => {
    closed = true
  })
  closers.add(() => {
    throw new Error('stuck')
  })
  await expect(closers.closeAll()).rejects.toThrow('some resources could not be closed')
  expect(closed).toBe(true)
})
