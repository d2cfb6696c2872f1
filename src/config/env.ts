import type * as z from 'zod'
import { settings, type SettingValues } from './settings.ts'

/** A setting that cannot be used; the message names it and says what is wrong, never its value. */
export class SettingError extends Error {
  constructor(name: string, problem: string) {
    super(`${name} ${problem}`)
    this.name = 'SettingError'
  }
}

/** Every control character except tab, line feed and carriage return, which separate the entries of a list. */
// oxlint-disable-next-line no-control-regex
const CONTROL_CHARACTER = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/

/**
 * Reads every setting; an empty text counts as not set.
 * @throws {SettingError} for the first value that cannot be used.
 */
export function parseSettings(env: Readonly<Record<string, string | undefined>>): SettingValues {
  const values: Record<string, unknown> = {}
  for (const [name, { schema }] of Object.entries<{ readonly schema: z.ZodType }>(settings)) {
    const text = env[name]?.trim() || undefined
    if (text !== undefined && CONTROL_CHARACTER.test(text)) throw new SettingError(name, 'contains a control character')
    const parsed = schema.safeParse(text)
    if (!parsed.success) throw new SettingError(name, parsed.error.issues[0]?.message ?? 'is not valid')
    values[name] = parsed.data
  }
  // Each value was parsed by the schema of its name.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return values as SettingValues
}
