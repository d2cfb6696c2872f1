import { appendFile, copyFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type DiskHookJournal, openDiskHookJournal } from '../../src/journal/disk.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { makeDataDir } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const record = (n: number) => ({ jobId: `job_${n}`, upstreamId: `U${n}` })

async function openJournal() {
  const dir = await makeDataDir()
  const journal = await openDiskHookJournal(dir)
  return { dir, journal, text: async () => readFile(pathOf(dir), 'utf8') }
}

const pathOf = (dir: string) => join(dir, 'hooks.journal')

/** Opens the journal as the next process would after a crash. */
const reopen = async (dir: string): Promise<DiskHookJournal> => {
  const next = await makeDataDir()
  for (const name of await readdir(dir)) await copyFile(join(dir, name), join(next, name))
  const journal = await openDiskHookJournal(next)
  closeAfterTest(() => journal.close())
  return journal
}

test('the journal has unsettled records after a restart, in order', async () => {
  const { dir, journal } = await openJournal()
  await Promise.all([1, 2, 3].map((n) => journal.keep(record(n))))
  journal.settle(record(2))
  await journal.close()
  expect((await reopen(dir)).left.map(({ jobId }) => jobId)).toEqual(expect.arrayContaining(['job_1', 'job_3']))
})

test('the journal resolves once the record is on disk, so that a later crash loses nothing', async () => {
  const { dir, journal } = await openJournal()
  closeAfterTest(() => journal.close())
  await journal.keep(record(1))
  expect((await reopen(dir)).left).toEqual([record(1)])
})

test('the journal stores a duplicate record once', async () => {
  const { journal, text } = await openJournal()
  closeAfterTest(() => journal.close())
  expect(await Promise.all([journal.keep(record(1)), journal.keep(record(1)), journal.keep(record(2))])).toEqual([
    true,
    false,
    true,
  ])
  expect((await text()).trim().split('\n')).toHaveLength(2)
})

test('the journal accepts a settled record again', async () => {
  const { journal } = await openJournal()
  closeAfterTest(() => journal.close())
  await journal.keep(record(1))
  journal.settle(record(1))
  expect(await journal.keep(record(1))).toBe(true)
})

test('the journal is empty when all records are settled, and stays small if one never is', async () => {
  const { dir, journal, text } = await openJournal()
  closeAfterTest(() => journal.close())
  await journal.keep(record(0))
  journal.settle(record(0))
  await until(async () => (await text()) === '' || null)
  await journal.keep(record(-1))
  const all = Array.from({ length: 12_000 }, (_unused, n) => record(n))
  await Promise.all(all.map((one) => journal.keep(one)))
  for (const one of all) journal.settle(one)
  await journal.keep(record(-2))
  await until(async () => (await text()).split('\n').length < 10 || null)
  expect((await reopen(dir)).left).toEqual([record(-1), record(-2)])
})

test('the journal ignores a line that a crash cut off, and reads all other lines', async () => {
  const { dir, journal } = await openJournal()
  await journal.keep(record(1))
  await journal.close()
  await appendFile(pathOf(dir), '\n{"jobId":"job_2","upstre')
  const again = await openDiskHookJournal(dir)
  closeAfterTest(() => again.close())
  expect(again.left).toEqual([record(1)])
  await again.keep(record(3))
  expect((await reopen(dir)).left).toEqual([record(1), record(3)])
})

test('the journal rejects a record that it cannot write', async () => {
  const { journal } = await openJournal()
  await journal.close()
  await expect(journal.keep(record(1))).rejects.toThrow(/closed|EBADF/i)
})

test('the journal imports the files that earlier versions wrote for each process, and removes them', async () => {
  const dir = await makeDataDir()
  // A live process has this pid again, as after a restart of a container.
  await writeFile(join(dir, `hooks-${process.pid}-00.journal`), `\n${JSON.stringify(record(1))}`)
  await writeFile(join(dir, `hooks-${process.ppid}-0f.journal`), `\n${JSON.stringify(record(2))}`)
  const journal = await openDiskHookJournal(dir)
  closeAfterTest(() => journal.close())
  expect(journal.left).toEqual(expect.arrayContaining([record(1), record(2)]))
  expect(await readdir(dir)).toEqual(['hooks.journal'])
  expect((await reopen(dir)).left).toHaveLength(2)
})

test('the journal ignores a draft file that a crash left behind', async () => {
  const dir = await makeDataDir()
  await writeFile(join(dir, 'hooks.journal.draft'), `\n${JSON.stringify(record(1))}`)
  const journal = await openDiskHookJournal(dir)
  closeAfterTest(() => journal.close())
  await journal.keep(record(2))
  expect([journal.left, (await reopen(dir)).left]).toEqual([[], [record(2)]])
})

test('the journal truncates its file after all records are settled', async () => {
  const { dir, journal, text } = await openJournal()
  closeAfterTest(() => journal.close())
  await journal.keep(record(1))
  journal.settle(record(1))
  await until(async () => (await text()) === '' || null)
  await journal.keep(record(2))
  expect(await text()).toBe(`\n${JSON.stringify(record(2))}`)
  expect((await reopen(dir)).left).toEqual([record(2)])
})
