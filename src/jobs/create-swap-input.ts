/** The input of a swap, validated as a whole: every issue is reported, not only the first. */
import * as z from 'zod'
import { isStorable } from '../domain/storable.ts'
import { HOOK_FORMATS } from '../domain/swap-job.ts'
import { findAddressIssue } from './address-issue.ts'

export const SWAP_INPUT_ISSUE_CODES = [
  'REQUIRED',
  'EXACTLY_ONE_REQUIRED',
  'TOO_LONG',
  'TOO_MANY',
  'OUT_OF_RANGE',
  'NOT_HTTP_URL',
  'SCHEME_REQUIRED',
  'SCHEME_NOT_SUPPORTED',
  'DATA_URL_NOT_SUPPORTED',
  'ADDRESS_HAS_SPACE',
  'ADDRESS_HAS_CONTROL_CHARACTER',
  'ADDRESS_HAS_BACKSLASH',
  'ADDRESS_HAS_CREDENTIALS',
  'PORT_NOT_ALLOWED',
  'ADDRESS_NOT_ALLOWED',
  'IMAGE_TYPE_NOT_ALLOWED',
  'IMAGE_TOO_LARGE',
  'UPLOAD_NOT_READY',
  'JOB_NOT_SUCCESSFUL',
] as const
export type SwapInputIssueCode = (typeof SWAP_INPUT_ISSUE_CODES)[number]

/** One problem of the input; `path` starts at the argument. */
export interface SwapInputIssue {
  readonly path: readonly string[]
  readonly code: SwapInputIssueCode
  readonly message: string
}

const MAX_TEXT_CHARS = 255
const MAX_TAGS = 10
const MAX_TAG_CHARS = 64
export const MAX_WAIT_MS = 25_000
const MAX_KEEP_DAYS = 30
export const DEFAULT_KEEP_DAYS = 7

type Code = { readonly code: SwapInputIssueCode }
const as = (code: SwapInputIssueCode, error: string) => ({ error, params: { code } satisfies Code })

/** Text of 1 to `max` characters. */
const text = (max: number, name: string) =>
  z
    .string()
    .refine(isStorable, as('OUT_OF_RANGE', `${name} must not contain a NUL character or half a surrogate pair.`))
    .refine((value) => value !== '', as('REQUIRED', `${name} must not be empty.`))
    .refine((value) => value.length <= max, as('TOO_LONG', `${name} may have at most ${max} characters.`))

const httpUrl = z.string().check(({ value, issues }) => {
  const found = findAddressIssue(value)
  if (found) issues.push({ code: 'custom', input: value, message: found.message, params: { code: found.code } })
})

/** Forms send empty fields as empty strings. */
const emptyIsAbsent = (value: unknown): unknown => (value === '' ? null : value)

const id = z
  .string()
  .refine(isStorable, as('OUT_OF_RANGE', 'An id must not contain a NUL character or half a surrogate pair.'))
  .refine(
    (value) => value.length <= MAX_TEXT_CHARS,
    as('TOO_LONG', `An id may have at most ${MAX_TEXT_CHARS} characters.`),
  )
/** GraphQL enforces exactly one member; other callers may not. */
const image = z
  .object({ url: httpUrl.nullish(), uploadId: id.nullish(), resultOf: id.nullish() })
  .refine(
    (given) => Object.values(given).filter((value) => value != null).length === 1,
    as('EXACTLY_ONE_REQUIRED', 'Give exactly one of url, uploadId and resultOf.'),
  )

const schema = z.object({
  targetImage: image,
  swapImage: image,
  keepDays: z
    .number()
    .refine(
      (days) => Number.isInteger(days) && days >= 0 && days <= MAX_KEEP_DAYS,
      as('OUT_OF_RANGE', `keepDays is a whole number from 0 to ${MAX_KEEP_DAYS}.`),
    )
    .nullish(),
  idempotencyKey: text(MAX_TEXT_CHARS, 'An idempotency key').nullish(),
  clientReference: z.preprocess(emptyIsAbsent, text(MAX_TEXT_CHARS, 'A client reference').nullish()),
  tags: z.preprocess(
    (tags) => (Array.isArray(tags) ? tags.filter((tag) => tag !== '') : tags),
    z
      .array(text(MAX_TAG_CHARS, 'A tag'))
      .refine((tags) => tags.length <= MAX_TAGS, as('TOO_MANY', `At most ${MAX_TAGS} tags.`))
      .nullish(),
  ),
  hookUrl: z.preprocess(emptyIsAbsent, httpUrl.nullish()),
  // Not in the schema: set by the entry point.
  hookFormat: z.enum(HOOK_FORMATS).nullish(),
  reuseSameContent: z.boolean().nullish(),
  waitMs: z
    .number()
    .refine((ms) => ms >= 0 && ms <= MAX_WAIT_MS, as('OUT_OF_RANGE', `waitMs must be from 0 to ${MAX_WAIT_MS}.`))
    .nullish(),
})

/** An image of the input: exactly one member is set. */
export type ImageInput = z.infer<typeof image>

/** A valid swap input. Empty optional texts are removed; everything else is as the caller sent it. */
export type CreateSwapInput = z.infer<typeof schema>

export type ParsedInput =
  | { readonly ok: true; readonly input: CreateSwapInput }
  | { readonly ok: false; readonly issues: readonly SwapInputIssue[] }

/** Validates a caller's input, without looking up images or checking which hosts are allowed. */
export function parseCreateSwapInput(raw: unknown): ParsedInput {
  const parsed = schema.safeParse(raw)
  if (parsed.success) return { ok: true, input: parsed.data }
  return {
    ok: false,
    issues: parsed.error.issues.map((issue) => ({
      path: ['input', ...issue.path.map(String)],
      code: issue.code === 'custom' ? readCode(issue.params) : 'REQUIRED',
      message: issue.code === 'invalid_type' ? describeType(raw, issue.path, issue.expected) : issue.message,
    })),
  }
}

/** For callers other than GraphQL, which checks types itself. */
function describeType(raw: unknown, path: readonly PropertyKey[], expected: string): string {
  let value = raw
  for (const key of path) value = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
  const name = path.map(String).join('.') || 'The input'
  return value == null ? `${name} is required.` : `${name} must be of type ${expected}.`
}

function readCode(params: Record<string, unknown> | undefined): SwapInputIssueCode {
  return SWAP_INPUT_ISSUE_CODES.find((code) => code === params?.['code']) ?? 'REQUIRED'
}
