/**
 * Maps the upstream's failure texts to codes and sentences of our own. A text may quote input of a caller: an address,
 * a host that a redirect named, a file name. So only known messages match, from their first word on, after everything
 * that looks like an address, a host or a file name is removed. Any other text is UPSTREAM_FAILED. CONTENT_REFUSED,
 * which can lock a tenant out for the day, must match to the end.
 */
import type { SwapFailure, SwapFailureCode } from '../domain/swap-job.ts'
import { readImageFailure } from './image-failures.ts'

/** Known messages are sentences. */
const MAX_TEXT_CHARS = 1_000

const PREFIX = '^(?:(?:error|failed|task failed|swap failed|face ?swap failed): ?)?'
const IMAGE = '(?:the )?(?:(?:target|template|swap|face|donor|source|input) ?)?(?:image|picture|photo|file)s?'
const CANNOT = "(?:can ?not|could not|can't|couldn't|unable to|failed to|failure to)"

const known = (...messages: readonly string[]) => new RegExp(`${PREFIX}(?:${messages.join('|')})`, 'i')

const FAILURES: readonly { readonly pattern: RegExp; readonly code: SwapFailureCode; readonly text: string }[] = [
  {
    pattern: known(
      'no (?:usable |valid |human )?faces?(?: (?:was |were |is |are )?(?:found|detected)\\b| in (?:the )?\\b|[.!]?$)',
      'faces? (?:was |were |is |are |could |can )?not (?:be )?(?:found|detected)\\b',
      `${CANNOT} (?:find|detect) (?:a |any |the )?faces?\\b`,
      `${IMAGE} (?:has|have|contains?) no (?:usable |valid )?faces?\\b`,
    ),
    code: 'FACE_NOT_FOUND',
    text: 'No usable face was found in',
  },
  {
    pattern: known(`${IMAGE} (?:is |are |was )?too (?:large|big)\\b`, `${IMAGE} (?:size |dimensions? )?exceeds?\\b`),
    code: 'IMAGE_NOT_READABLE',
    text: 'The upstream rejects as too large:',
  },
  {
    pattern: known(
      `${IMAGE} (?:could not|can ?not) be (?:downloaded|read|decoded|loaded|opened|reached|fetched|accessed)\\b`,
      `${CANNOT} (?:download|read|decode|load|open|reach|fetch|access) (?:an? )?${IMAGE}\\b`,
      `${IMAGE} (?:download|decoding|loading) failed\\b`,
      `${IMAGE} (?:format|type)s? (?:is |are )?(?:not (?:supported|allowed)|unsupported|invalid)\\b`,
      `(?:unsupported|invalid|unknown|truncated|corrupt(?:ed)?) (?:image|url)\\b`,
      `${IMAGE} (?:is |are |was )?(?:invalid|unreadable|truncated|corrupt(?:ed)?|unsupported)\\b`,
      'not an image\\b',
    ),
    code: 'IMAGE_NOT_READABLE',
    text: 'The upstream could not load',
  },
  {
    pattern: known(
      '(?:nsfw|sensitive|inappropriate|prohibited|banned|illegal)(?: (?:content|image|picture|photo|prompt))?(?: (?:was |has been )?(?:detected|found))?(?: in (?:the )?(?:target |swap |face |source )?image)?[.!]?$',
      `${IMAGE} (?:contains?|may contain) (?:nsfw|sensitive|inappropriate|prohibited|illegal) (?:content|material)[.!]?$`,
      '(?:violates? (?:the |our )?|violation of (?:the |our )?)?content (?:policy|moderation)(?: violation| failed| rejected)?[.!]?$',
      `(?:${IMAGE}|content|request) (?:was |has been |is )?(?:rejected|refused|blocked|flagged) (?:by|for|as) (?:the |our )?(?:content )?(?:moderation|policy|nsfw|sensitive)(?: content)?[.!]?$`,
    ),
    code: 'CONTENT_REFUSED',
    text: 'The upstream refuses the content of',
  },
]

/** Maps a failure text. The result contains none of it, except for whole known messages of the embedded upstream. */
export function toFailure(message: string): SwapFailure {
  const ofImage = readImageFailure(message)
  if (ofImage) return ofImage
  const text = withoutQuotedNames(message.slice(0, MAX_TEXT_CHARS))
  for (const failure of FAILURES) {
    if (!failure.pattern.test(text)) continue
    return { code: failure.code, message: `${failure.text} ${nameImage(text)}.`, retryable: false }
  }
  return { code: 'UPSTREAM_FAILED', message: 'The upstream could not finish the swap.', retryable: true }
}

/** Whether a refusal says that no upstream account is free (contract, "HTTP codes"): the same submit may work later. */
export function isNoAccountsText(message: string): boolean {
  return /^no available accounts\b/i.test(withoutQuotedNames(message.slice(0, MAX_TEXT_CHARS)))
}

/** Removes addresses, hosts, paths and file names: words with punctuation inside, or with characters outside ASCII. */
function withoutQuotedNames(text: string): string {
  const words = text.split(/\s+/).filter((word) => !/[./\\@:%?=#&_[\]]|[^ -~]/.test(word.replace(/[.,;:!?)]+$/, '')))
  return words.join(' ').trim()
}

function nameImage(text: string): string {
  const isTarget = /\b(?:target|template)\b/i.test(text)
  const isFace = /\b(?:face image|swap ?image|donor|source image)\b/i.test(text)
  if (isTarget === isFace) return 'one of the images'
  return isTarget ? 'the target image' : 'the swap image'
}
