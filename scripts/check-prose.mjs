// Fails on phrases that docs and comments of this repository must not contain, and on commit subjects that are too long
// or hold two ideas. Commits up to the one in .ci/first-checked-commit are not checked.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Each has a plain replacement: name the actor (the gateway, the caller, another process), or use the standard verb. */
const PHRASES =
  /\b(?:who(?:m)?ever|somebody|nobody|of late|as it came|as it comes|is told of|are told of|hears? of|for all we know)\b/i
const TEXT_FILE = /\.(?:ts|mts|mjs|js|md|graphql|html|css|ya?ml|json)$/
/** Generated, recorded from others, or the list above. */
const SKIPPED =
  /^(?:package-lock\.json|bench\/package-lock\.json|test\/contract\/|scripts\/check-prose\.mjs|THIRD_PARTY_)/
const MAX_SUBJECT_CHARS = 72

/** @param {string[]} args */
function git(...args) {
  return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
}

/** @param {string} commit */
function isReachable(commit) {
  try {
    git('merge-base', '--is-ancestor', commit, 'HEAD')
    return true
  } catch {
    return false
  }
}

function findPhrases() {
  const files = git('ls-files').split('\n')
  return files
    .filter((file) => TEXT_FILE.test(file) && !SKIPPED.test(file))
    .flatMap((file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .flatMap((line, n) => {
          const phrase = PHRASES.exec(line)
          return phrase ? [`${file}:${n + 1}: "${phrase[0]}": name the actor, or use the standard verb`] : []
        }),
    )
}

function findSubjects() {
  const first = readFileSync('.ci/first-checked-commit', 'utf8').trim()
  if (!isReachable(first)) {
    process.stdout.write('subjects of commits: skipped, because the checkout is shallow\n')
    return []
  }
  return git('log', '--no-merges', '--format=%h %s', `${first}..HEAD`)
    .split('\n')
    .flatMap((line) => {
      const hash = line.slice(0, line.indexOf(' '))
      const subject = line.slice(hash.length + 1)
      if (subject.length > MAX_SUBJECT_CHARS)
        return [`${hash}: the subject has more than ${MAX_SUBJECT_CHARS} characters`]
      return subject.includes('; ') ? [`${hash}: the subject holds two ideas: make two commits`] : []
    })
}

try {
  git('rev-parse', '--git-dir')
} catch {
  process.stdout.write('skipped, because this is not a Git checkout\n')
  process.exit(0)
}
const problems = [...findPhrases(), ...findSubjects()]
for (const problem of problems) console.error(problem)
process.exit(problems.length === 0 ? 0 : 1)
