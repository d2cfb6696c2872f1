import { readFileSync } from 'node:fs'
import { readErrorCode } from '../lib/error-code.ts'
import { parseSettings, SettingError } from './env.ts'
import { parseEnvFile } from './env-file.ts'
import { settings, type SettingValues } from './settings.ts'
import { describeFileProblem } from './start-error.ts'

export interface Environment {
  readonly values: SettingValues
  /** Variables that are not settings but resemble one, each with the nearest setting. */
  readonly unknown: readonly { readonly name: string; readonly nearest: string }[]
  /** Variables that were read under an earlier name, each with its name now. */
  readonly renamed: readonly { readonly name: string; readonly now: string }[]
}

/** Earlier names of settings, which still work. */
const NAMES_NOW: Readonly<Record<string, keyof SettingValues>> = { REST_DOOR: 'REST_API' }

/**
 * Reads every setting from the environment, and from `.env` in the working folder if there is one; the environment wins.
 * @throws {SettingError} for the first value, or line of `.env`, that cannot be used.
 */
export function readEnv(): Environment {
  // Into `process.env`: libraries read their own variables from there.
  for (const [name, value] of Object.entries(readFile())) process.env[name] ??= value
  const renamed = readRenamed(process.env)
  return { values: parseSettings(process.env), unknown: findUnknown(Object.keys(process.env)), renamed }
}

/** Copies each value under an earlier name to the name now. The name now wins if both are set. */
export function readRenamed(env: Record<string, string | undefined>): Environment['renamed'] {
  return Object.entries(NAMES_NOW).flatMap(([name, now]) => {
    const value = env[name]?.trim()
    if (!value) return []
    env[now] ||= value
    return [{ name, now }]
  })
}

function readFile(): Record<string, string> {
  let bytes: Uint8Array
  try {
    bytes = readFileSync('.env')
  } catch (error) {
    if (readErrorCode(error) === 'ENOENT') return {}
    throw new SettingError('.env', `cannot be read: ${describeFileProblem(error)}`)
  }
  return parseEnvFile(bytes)
}

/** Prefixes of variables that are meant for the gateway. */
const OWN_PREFIXES = [
  'TTAPI_',
  'LOCAL_UPSTREAM_',
  'SWAPFACE_',
  'GATEWAY_',
  'TENANT_',
  'JWT_',
  'JWKS_',
  'ALLOWED_',
  'TRUSTED_',
  'ON_QUEUE_',
  'UNCONFIRMED_',
]

/** Kubernetes sets these for every service, including one named `gateway`. */
const OF_KUBERNETES = /_SERVICE_HOST$|_SERVICE_PORT(?:_\w+)?$|_PORT$|_PORT_\d+_(?:TCP|UDP)(?:_\w+)?$/

const MAX_NAME_CHARS = 60

/** @param names of all environment variables. */
export function findUnknown(names: readonly string[]): Environment['unknown'] {
  const known = Object.keys(settings)
  const isPlausible = (name: string) => name.length <= MAX_NAME_CHARS && !known.includes(name)
  return names.filter(isPlausible).flatMap((name) => {
    const upper = name.toUpperCase().replaceAll('-', '_')
    if (OF_KUBERNETES.test(upper)) return []
    const near = findNearest(upper, known)
    // One edit in four characters: HOME is not HOST.
    if (near && near.edits <= Math.min(3, Math.floor(upper.length / 4))) return [{ name, nearest: near.setting }]
    const prefix = OWN_PREFIXES.find((one) => upper.startsWith(one))
    const related = prefix === undefined ? [] : known.filter((setting) => setting.startsWith(prefix))
    return related.length > 0 ? [{ name, nearest: findNearest(upper, related)?.setting ?? '' }] : []
  })
}

function findNearest(name: string, among: readonly string[]) {
  const [nearest] = among
    .map((setting) => ({ setting, edits: countEdits(name, setting) }))
    .toSorted((a, b) => a.edits - b.edits)
  return nearest ?? null
}

/** The Levenshtein distance. */
function countEdits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_unused, n) => n)
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= to.length; j += 1) {
      const substituted = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
