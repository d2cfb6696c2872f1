import { appendFile, copyFile, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type DiskHookJournal, openDiskHookJournal } from '../../src/journal/disk.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { makeDataDir } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const note = (n: number) => ({ jobId: `job_${n}`, upstreamId: `U${n}` })

async function openJournal() {
  const dir = await makeDataDir()
  const journal = await openDiskHookJournal(dir)
  return { dir, journal, text: async () => readFile(await pathOf(dir), 'utf8') }
}

const pathOf = async (dir: string) => join(dir, (await readdir(dir)).find((name) => name.endsWith('.journal')) ?? '')

/** The journal as the next process finds it, when the one that wrote it is no more. */
const reopen = async (dir: string): Promise<DiskHookJournal> => {
  const path = await pathOf(dir)
  await copyFile(path, join(dir, 'hooks-999999999-00.journal'))
  const journal = await openDiskHookJournal(dir)
  closeAfterTest(() => journal.close())
  return journal
}

test('what was kept and not settled is there after a restart, in order', async () => {
  const { dir, journal } = await openJournal()
  await Promise.all([1, 2, 3].map((n) => journal.keep(note(n))))
  journal.settle(note(2))
  await journal.close()
  expect((await reopen(dir)).left.map(({ jobId }) => jobId)).toEqual(expect.arrayContaining(['job_1', 'job_3']))
})

test('is on disk when it resolves: a process that dies then has lost nothing', async () => {
  const { dir, journal } = await openJournal()
  closeAfterTest(() => journal.close())
  await journal.keep(note(1))
  expect((await reopen(dir)).left).toEqual([note(1)])
})

test('the same note twice is one', async () => {
  const { journal, text } = await openJournal()
  closeAfterTest(() => journal.close())
  expect(await Promise.all([journal.keep(note(1)), journal.keep(note(1)), journal.keep(note(2))])).toEqual([
    true,
    false,
    true,
  ])
  expect((await text()).trim().split('\n')).toHaveLength(2)
})

test('a settled note may come again', async () => {
  const { journal } = await openJournal()
  closeAfterTest(() => journal.close())
  await journal.keep(note(1))
  journal.settle(note(1))
  expect(await journal.keep(note(1))).toBe(true)
})

test('is empty when all is settled, and stays small when something never is', async () => {
  const { dir, journal, text } = await openJournal()
  closeAfterTest(() => journal.close())
  await journal.keep(note(0))
  journal.settle(note(0))
  await until(async () => (await text()) === '' || null)
  await journal.keep(note(-1))
  const all = Array.from({ length: 12_000 }, (_unused, n) => note(n))
  await Promise.all(all.map((one) => journal.keep(one)))
  for (const one of all) journal.settle(one)
  await journal.keep(note(-2))
  await until(async () => (await text()).split('\n').length < 10 || null)
  expect((await reopen(dir)).left).toEqual([note(-1), note(-2)])
})

test('a line that a crash cut off is not a note, and spoils none', async () => {
  const { dir, journal } = await openJournal()
  await journal.keep(note(1))
  await journal.close()
  await appendFile(await pathOf(dir), '\n{"jobId":"job_2","upstre')
  const again = await reopen(dir)
  expect(again.left).toEqual([note(1)])
  await again.keep(note(3))
  expect((await reopen(dir)).left).toEqual([note(1), note(3)])
})

test('says so when it cannot be written', async () => {
  const { journal } = await openJournal()
  await journal.close()
  await expect(journal.keep(note(1))).rejects.toThrow(/closed|EBADF/i)
})

test('a journal of a process that is alive is left alone', async () => {
  const { dir, journal } = await openJournal()
  closeAfterTest(() => journal.close())
  await journal.keep(note(1))
  const second = await openDiskHookJournal(dir)
  expect(second.left).toEqual([])
  await second.keep(note(2))
  second.settle(note(2))
  await second.close()
  expect((await reopen(dir)).left).toEqual([note(1)])
})
