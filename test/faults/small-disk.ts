/** Simulates a full disk: a small file system, or a limit on the size of a process's files. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readErrorCode } from '../../src/lib/error-code.ts'

/** Mounts a file system small enough to fill; null if this user may not mount. */
export function mountSmallDisk(size: string): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'swapface-small-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder], { stdio: 'ignore' })
    return folder
  } catch {
    rmSync(folder, { recursive: true })
    return null
  }
}

export function unmountSmallDisk(folder: string): void {
  execFileSync('umount', ['-l', folder])
  rmSync(folder, { recursive: true })
}

/** Fills the disk with one file at `path`. */
export function fillDisk(path: string): void {
  for (const size of [1024 * 1024, 64 * 1024, 4 * 1024, 512]) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(size), { flag: 'a' })
    } catch (error) {
      if (readErrorCode(error) !== 'ENOSPC') throw error
    }
  }
}

/** Limits the size of the process's files, for a user who may not mount. The soft limit can be raised again. */
export function limitFileSize(pid: number, limit: string): void {
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${limit}:unlimited`])
}
