/** A disk that can be filled up, or a process whose files may not grow. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readErrorCode } from '../../src/lib/error-code.ts'

/** A file system of its own, so small that it can be filled; null where this user may not have one. */
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

/** Writes until nothing fits any more. */
export function fillDisk(path: string): void {
  for (const size of [1024 * 1024, 64 * 1024, 4 * 1024, 512]) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(size), { flag: 'a' })
    } catch (error) {
      if (readErrorCode(error) !== 'ENOSPC') throw error
    }
  }
}

/** A file may not grow: for a user who may not mount. Heals when lifted. */
export function limitFileSize(pid: number, limit: string): void {
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${limit}:unlimited`])
}
