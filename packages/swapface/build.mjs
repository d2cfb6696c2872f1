// Builds dist/: the embedded upstream and the engine's worker thread, with the models and the WebAssembly they load.
import { copyFileSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle, findPackage } from '../../scripts/bundle.mjs'

const root = dirname(fileURLToPath(import.meta.url))
const dist = join(root, 'dist')
const assets = join(dist, 'assets')

rmSync(dist, { recursive: true, force: true })
await bundle({
  entryPoints: { index: join(root, 'src/index.ts'), worker: join(root, 'src/engine/worker.ts') },
  outdir: dist,
  external: ['libsql', 'sharp'],
  // The assets are found beside the file that loads them.
  splitting: false,
})

mkdirSync(assets)
copyAssets('@vladmandic/human', 'models', ['blazeface.json', 'blazeface.bin', 'facemesh.json', 'facemesh.bin'])
copyAssets('@tensorflow/tfjs-backend-wasm', 'dist', [
  'tfjs-backend-wasm.wasm',
  'tfjs-backend-wasm-simd.wasm',
  'tfjs-backend-wasm-threaded-simd.wasm',
])

/**
 * @param {string} name
 * @param {string} folder
 * @param {readonly string[]} files
 */
function copyAssets(name, folder, files) {
  for (const file of files) copyFileSync(join(findPackage(name, root), folder, file), join(assets, file))
}
