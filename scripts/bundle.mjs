/**
 * Bundles a program of this repository: its sources and its plain JavaScript packages, in a few files. Node loads these
 * three times as fast as a thousand small ones. Writes the licences of the bundled packages beside them.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const SLIM_UNDICI = fileURLToPath(new URL('./slim-undici.mjs', import.meta.url))
/** @type {import('esbuild').Plugin} */
const slimUndici = {
  name: 'slim-undici',
  setup: ({ onResolve }) => onResolve({ filter: /^undici$/ }, () => ({ path: SLIM_UNDICI })),
}

const TEXT_FILE = /readFileSync\(new URL\('([^']+)', import\.meta\.url\), 'utf8'\)/g
/**
 * Inlines the page's files into the bundle, in place of the calls that read them beside their source file.
 * @type {import('esbuild').Plugin}
 */
const inlinePage = {
  name: 'inline-page',
  setup: ({ onLoad }) =>
    onLoad({ filter: /[\\/]src[\\/]page[\\/][\w-]+\.ts$/ }, ({ path }) => {
      const contents = readFileSync(path, 'utf8').replaceAll(TEXT_FILE, (_call, file) =>
        JSON.stringify(readFileSync(join(dirname(path), file), 'utf8')),
      )
      if (contents.includes('import.meta.url')) throw new Error(`${path} reads a file that is not in the bundle`)
      return { contents, loader: 'ts' }
    }),
}

/** Definitions that CommonJS packages need inside an ES module, under names that no package uses. */
const COMMONJS_NAMES = `import { createRequire as __createRequire } from 'node:module'
import { dirname as __toDirname } from 'node:path'
import { fileURLToPath as __toPath } from 'node:url'
const require = __createRequire(import.meta.url), __filename = __toPath(import.meta.url), __dirname = __toDirname(__filename)`

/**
 * @param {{ entryPoints: Record<string, string>, outdir: string, external: string[], splitting: boolean }} options
 *   `entryPoints`: source files by name of the built file. `external`: packages that are not bundled.
 *   `splitting`: whether dynamic imports become separate files, in `chunks/`.
 */
export async function bundle({ entryPoints, outdir, external, splitting }) {
  const { metafile } = await build({
    entryPoints: Object.entries(entryPoints).map(([out, source]) => ({ in: source, out })),
    outdir,
    external,
    bundle: true,
    splitting,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    // Prefer ES modules: unused exports are dropped, and `graphql` is bundled once.
    mainFields: ['module', 'main'],
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'none',
    chunkNames: 'chunks/[name]-[hash]',
    plugins: [slimUndici, inlinePage],
    metafile: true,
    banner: { js: COMMONJS_NAMES },
  })
  const used = new Set(Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs)))
  writeFileSync(join(outdir, 'THIRD_PARTY_LICENSES.txt'), listLicences(used))
}

/** @param {ReadonlySet<string>} files */
function listLicences(files) {
  const folders = new Set(
    [...files].flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []).toSorted(),
  )
  const texts = [...folders].map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
    const text = file === undefined ? '' : `\n\n${readFileSync(join(folder, file), 'utf8').trim()}`
    return `${name}@${version} (${license})${text}`
  })
  return `${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}

/**
 * Finds the folder of an installed package.
 * @param {string} name
 * @param {string} from a file or folder from which the package can be imported
 */
export function findPackage(name, from) {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', name)
    if (existsSync(found)) return found
    if (folder === dirname(folder)) throw new Error(`${name} is not installed`)
  }
}
