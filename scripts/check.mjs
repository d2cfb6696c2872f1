// Everything that can be said of the code without running it: types, lint, format, and whether what is generated is
// what the code generates. Each is run, also when one before it fails; the exit code says whether all are clean.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

const GENERATED = [
  'schema/schema.graphql',
  'schema/subgraph.graphql',
  'schema/trusted-documents.json',
  'src/graphql/generated.ts',
]

function run(title, command, args) {
  process.stdout.write(`\n== ${title}\n`)
  return spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' }).status === 0
}

function isUpToDate() {
  const before = GENERATED.map((path) => readFileSync(path, 'utf8'))
  if (!run('generated files', 'npm', ['run', '--silent', 'codegen'])) return false
  const stale = GENERATED.filter((path, index) => readFileSync(path, 'utf8') !== before[index])
  for (const [index, path] of GENERATED.entries()) writeFileSync(path, before[index])
  for (const path of stale) console.error(`${path} is not what the code prints: run \`npm run codegen\`.`)
  return stale.length === 0
}

const results = [
  run('types', 'npx', ['tsc', '-p', 'tsconfig.json']),
  run('lint', 'npx', ['oxlint', '--type-aware', '--deny-warnings']),
  run('format', 'npx', ['oxfmt', '--check']),
  isUpToDate(),
]
process.exit(results.every(Boolean) ? 0 : 1)
