// Everything that can be checked without running the code: types, lint, format, prose, commit subjects, and whether the
// generated files are up to date. Each check runs even if an earlier one failed; the exit code says whether all passed.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const GENERATED = [
  'schema/schema.graphql',
  'schema/subgraph.graphql',
  'schema/trusted-documents.json',
  'test/support/generated.ts',
]

/**
 * @param {string} title
 * @param {string} command
 * @param {string[]} args
 */
function run(title, command, args) {
  process.stdout.write(`\n== ${title}\n`)
  return spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' }).status === 0
}

function checkBench() {
  if (existsSync('bench/node_modules')) return run('types of bench', 'npx', ['tsc', '-p', 'bench'])
  process.stdout.write('\n== types of bench: skipped, because its packages are not installed (npm ci --prefix bench)\n')
  return process.env['CI'] === undefined
}

function isUpToDate() {
  const before = GENERATED.map((path) => [path, readFileSync(path, 'utf8')])
  if (!run('generated files', 'npm', ['run', '--silent', 'codegen'])) return false
  const stale = before.filter(([path = '', text]) => readFileSync(path, 'utf8') !== text)
  for (const [path = '', text = ''] of before) writeFileSync(path, text)
  for (const [path] of stale) console.error(`${path} is not what the code prints: run \`npm run codegen\`.`)
  return stale.length === 0
}

const results = [
  run('types', 'npx', ['tsc', '-p', 'tsconfig.json']),
  run('types of the page', 'npx', ['tsc', '-p', 'src/page']),
  checkBench(),
  run('lint', 'npx', ['oxlint', '--type-aware', '--deny-warnings']),
  run('format', 'npx', ['oxfmt', '--check']),
  run('prose', process.execPath, ['scripts/check-prose.mjs']),
  isUpToDate(),
]
process.exit(results.every(Boolean) ? 0 : 1)
