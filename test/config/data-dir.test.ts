/** DATA_DIR at startup: created, writable, and owned by one process. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openDataDir } from '../../src/config/data-dir.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { makeDataDir } from '../support/test-app.ts'

const HELD = 'DATA_DIR is in use by another gateway process. Stop that process'

test('DATA_DIR is created with its parents, for its owner only, whatever characters its name has', async () => {
  const path = join(await makeDataDir(), 'dä ta #1 ?x=1 %20 人', 'deep')
  const lock = await openDataDir(path)
  closeAfterTest(() => lock.release())
  expect(statSync(path).mode & 0o777).toBe(0o700)
  expect(readdirSync(path)).toEqual(['lock.db'])
})

test('DATA_DIR has one owner: a second process is refused until the first has released it', async () => {
  const path = await makeDataDir()
  const first = await openDataDir(path)
  await expect(openDataDir(path)).rejects.toThrow(HELD)
  first.release()
  first.release()
  const second = await openDataDir(path)
  closeAfterTest(() => second.release())
})

test('DATA_DIR is free again as soon as its owner is killed', async () => {
  const path = await makeDataDir()
  const program = `import { openDataDir } from ${JSON.stringify(join(process.cwd(), 'src/config/data-dir.ts'))}
    await openDataDir(${JSON.stringify(path)})
    // What nothing refers to must not be collected.
    globalThis.gc()
    process.stdout.write('held')
    setInterval(() => {}, 60_000)`
  const child = spawn(process.execPath, ['--import', 'tsx', '--expose-gc', '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  closeAfterTest(() => {
    child.kill('SIGKILL')
  })
  await once(child.stdout, 'data')
  await expect(openDataDir(path)).rejects.toThrow(HELD)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const lock = await openDataDir(path)
  closeAfterTest(() => lock.release())
})

test('DATA_DIR is refused if it is a file', async () => {
  const path = join(await makeDataDir(), 'file')
  writeFileSync(path, 'text')
  await expect(openDataDir(path)).rejects.toThrow(
    'DATA_DIR cannot be used: a part of the path is a file, not a folder.',
  )
  await expect(openDataDir(join(path, 'below'))).rejects.toThrow('a part of the path is a file')
})

test.runIf(existsSync('/proc/self'))('DATA_DIR is refused at once if the system cannot create it', async () => {
  await expect(openDataDir('/proc/swapface/data')).rejects.toThrow('DATA_DIR cannot be used: ')
})

test.runIf(canMount())('DATA_DIR on a read-only or full file system is refused with the cause', async () => {
  const path = join(await makeDataDir(), 'disk')
  mkdirSync(path)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', path])
  closeAfterTest(() => {
    execFileSync('umount', ['-l', path])
  })
  expect(() => writeFileSync(join(path, 'ballast'), Buffer.alloc(64 * 1024))).toThrow('ENOSPC')
  await expect(openDataDir(path)).rejects.toThrow('DATA_DIR cannot be used: the disk is full.')
  execFileSync('mount', ['-o', 'remount,ro', path])
  await expect(openDataDir(path)).rejects.toThrow('DATA_DIR cannot be used: it is on a read-only file system.')
})

test.runIf(process.platform !== 'win32')('DATA_DIR is refused after a timeout if its file system hangs', async () => {
  const dir = await makeDataDir()
  const pipe = join(dir, 'pipe')
  execFileSync('mkfifo', [pipe])
  // Each of these reads blocks one of the threads that all file operations share.
  const waiting = Array.from({ length: Number(process.env['UV_THREADPOOL_SIZE'] ?? 4) }, async () => open(pipe, 'r'))
  try {
    await expect(openDataDir(join(dir, 'data'), 50)).rejects.toThrow(/^DATA_DIR .* has not responded for 0.05 s/)
  } finally {
    const writer = openSync(pipe, 'w')
    await Promise.all(waiting.map(async (file) => (await file).close()))
    closeSync(writer)
  }
})

function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
