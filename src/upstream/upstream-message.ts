/**
 * Sanitises the upstream's own words for operators (promise: no URL, host name, key or control character, at most 300
 * characters). An allow-list of plain words and numbers: of anything else only "…" remains, because a text may quote an
 * address, a file name or a credential in any notation.
 */

const MAX_CHARS = 300
/** Far more than fit into the result; bounds the work. */
const MAX_READ_CHARS = 2_000
/** A shorter key also occurs inside of words. */
const MIN_KEY_CHARS = 6

const LETTERS = '[A-Za-z]{1,20}'
/** A word, or a constant such as INVALID_PARAMETER. */
const WORD = `${LETTERS}(?:['_-]${LETTERS}){0,5}`
const NUMBER = String.raw`[+-]?\d{1,7}(?:\.\d{1,3})?(?:%|[a-zA-Z]{1,2})?`
const ALLOWED = new RegExp(String.raw`^[("'[{]{0,3}(?:${WORD}|${NUMBER}|[-&+])?[)"'\]}.,:;!?]{0,4}$`)
/** Names of this machine that have the form of a word. */
const LOCAL_NAME = /localhost/i

/**
 * Returns the message without what may identify a place or a person's file, or null if nothing is left.
 * @param key the upstream key, which is removed wherever it occurs.
 */
export function sanitiseUpstreamMessage(message: string, key: string): string | null {
  const hidden = key.toLowerCase()
  const isKey = (run: string) => {
    const lower = run.toLowerCase()
    return hidden.length < MIN_KEY_CHARS ? lower === hidden : lower.includes(hidden)
  }
  const isSafe = (run: string) => ALLOWED.test(run) && !isKey(run) && !LOCAL_NAME.test(run)
  const clean = message
    .slice(0, MAX_READ_CHARS)
    // Maps full-width and other look-alikes of ASCII characters to ASCII.
    .normalize('NFKC')
    .replaceAll('\u3002', '. ')
    .replaceAll(/\s+/gu, ' ')
    // Removes control, format, surrogate and private-use characters. Some of them reverse the direction of a text.
    .replaceAll(/\p{C}/gu, '')
    .replaceAll(/[!-~]+/g, (run) => (isSafe(run) ? run : '…'))
    .replaceAll(/…(?: ?…)+/g, '…')
    .replaceAll(/ {2,}/g, ' ')
    .trim()
  if (!/[\p{L}\p{N}]/u.test(clean)) return null
  const characters = Array.from(clean)
  return characters.length <= MAX_CHARS ? clean : `${characters.slice(0, MAX_CHARS - 1).join('')}…`
}
