// Builds dist/ when it is missing or older than what it is built from. Runs after an install and before a start,
// so that both are one command from a fresh clone; where the compiler is not installed (a production install) it
// leaves dist/ as it is.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const BUILT = 'dist/main.js'

function newestMs(path) {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(0, ...readdirSync(path).map((name) => newestMs(join(path, name))))
}

function isStale() {
  if (!existsSync(BUILT)) return true
  const builtMs = statSync(BUILT).mtimeMs
  return ['src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'].some(
    (path) => existsSync(path) && newestMs(path) > builtMs,
  )
}

function hasCompiler() {
  try {
    createRequire(import.meta.url).resolve('typescript/package.json')
    return true
  } catch {
    return false
  }
}

if (existsSync('src/main.ts') && isStale()) {
  if (!hasCompiler()) {
    if (!existsSync(BUILT))
      console.error(
        'dist/ is missing and the compiler is not installed: run `npm ci` without --omit=dev, then `npm run build`.',
      )
    process.exit(existsSync(BUILT) || process.env.npm_lifecycle_event === 'prepare' ? 0 : 1)
  }
  const built = spawnSync('npm', ['run', '--silent', 'build'], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  process.exit(built.status ?? 1)
}
