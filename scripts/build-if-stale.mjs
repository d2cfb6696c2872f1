// Builds programs that are missing or older than their sources. Runs after an install and before a start, so that each
// is one command from a fresh clone. Without the bundler (a production install) it changes nothing.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const BUILT = ['dist/main.js', 'packages/swapface/dist/index.js']
const SOURCES = ['src', 'packages/swapface/src', 'packages/swapface/build.mjs', 'scripts', 'package-lock.json']

/**
 * Returns the time of the last change at or below a path.
 * @param {string} path
 * @returns {number} epoch milliseconds
 */
function newestMs(path) {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(0, ...readdirSync(path).map((name) => newestMs(join(path, name))))
}

function isStale() {
  if (!BUILT.every(existsSync)) return true
  const builtMs = Math.min(...BUILT.map((path) => statSync(path).mtimeMs))
  return SOURCES.some((path) => existsSync(path) && newestMs(path) > builtMs)
}

function hasBundler() {
  try {
    createRequire(import.meta.url).resolve('esbuild/package.json')
    return true
  } catch {
    return false
  }
}

if (existsSync('src/main.ts') && isStale()) {
  if (!hasBundler()) {
    if (!existsSync('dist/main.js'))
      console.error('dist/ is missing and cannot be built: run `npm ci` without --omit=dev, then `npm run build`.')
    process.exit(existsSync('dist/main.js') || process.env['npm_lifecycle_event'] === 'prepare' ? 0 : 1)
  }
  const built = spawnSync('npm', ['run', '--silent', 'build'], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  process.exit(built.status ?? 1)
}
