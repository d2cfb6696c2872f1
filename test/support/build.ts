import { execFileSync } from 'node:child_process'

/** Before all tests: what starts the built program starts what stands in `src`. */
export function setup(): void {
  execFileSync(process.execPath, ['scripts/build-if-stale.mjs'], { stdio: 'inherit' })
}
