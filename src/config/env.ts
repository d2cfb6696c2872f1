import { existsSync } from 'node:fs'
import { loadEnvFile } from 'node:process'
import type * as z from 'zod'
import { settings, type SettingValues } from './settings.ts'

/** A setting that cannot be used; the message names it and says what is wrong, never its value. */
export class SettingError extends Error {
  constructor(name: string, problem: string) {
    super(`${name} ${problem}`)
    this.name = 'SettingError'
  }
}

/**
 * Reads every setting from the environment, and from `.env` where there is one (what is set already wins). An empty
 * text counts as not set.
 * @throws {SettingError} for the first value that cannot be used.
 */
export function readEnv(): SettingValues {
  if (existsSync('.env')) loadEnvFile('.env')
  return parseSettings(process.env)
}

/** @throws {SettingError} for the first value that cannot be used. */
export function parseSettings(env: Readonly<Record<string, string | undefined>>): SettingValues {
  const values: Record<string, unknown> = {}
  for (const [name, { schema }] of Object.entries<{ readonly schema: z.ZodType }>(settings)) {
    const parsed = schema.safeParse(env[name]?.trim() || undefined)
    if (!parsed.success) throw new SettingError(name, parsed.error.issues[0]?.message ?? 'is not valid')
    values[name] = parsed.data
  }
  // Each value was parsed by the schema that stands under its name.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return values as SettingValues
}
