/**
 * Recognises the embedded upstream's messages about images that it cannot use. Only whole messages match, so that no
 * text of a caller decides the code. The real upstream's messages are not known in this detail.
 */
import type { SwapFailure, SwapFailureCode } from '../domain/swap-job.ts'

interface KnownProblem {
  /** Matches the text after "The target image " or "The face image ". */
  readonly pattern: RegExp
  readonly code: SwapFailureCode
  readonly isTransient?: true
}

const PROBLEMS: readonly KnownProblem[] = [
  ...download('IMAGE_ADDRESS_NOT_ALLOWED', 'its address is not allowed'),
  ...download('IMAGE_HOST_NOT_FOUND', 'its host name does not exist'),
  ...transient('IMAGE_HOST_NOT_FOUND', 'its host name could not be looked up'),
  ...transient('IMAGE_CONNECTION_REFUSED', 'its host refused the connection'),
  ...transient('IMAGE_CONNECTION_FAILED', 'the connection to its host broke off', 'its host could not be reached'),
  ...download('IMAGE_TLS_FAILED', 'no secure connection to its host: its certificate or TLS version is not valid'),
  ...transient(
    'IMAGE_TIMED_OUT',
    String.raw`no complete answer within [\d.]{1,8} s`,
    'its host did not accept the connection in time',
  ),
  ...download('IMAGE_NOT_FOUND', 'its host answered with status (?:404|410)'),
  ...download('IMAGE_ACCESS_DENIED', 'its host answered with status (?:401|402|403|451)'),
  ...transient('IMAGE_HOST_FAILED', String.raw`its host answered with status (?:408|425|429|5\d\d)`),
  ...download(
    'IMAGE_HOST_FAILED',
    String.raw`its host answered with status \d{3}`,
    'its host redirects to no valid address',
    "its host's answer is not valid HTTP",
    "its host's answer cannot be decompressed",
    'its host uses too many content encodings',
    'its host uses a content encoding that is not supported',
  ),
  ...download('IMAGE_TOO_MANY_REDIRECTS', String.raw`more than \d{1,3} redirects`),
  ...known('IMAGE_TOO_LARGE', String.raw`is too large: [\w ,;.]{1,80}`, String.raw`has more than \d{1,6} frames`),
  ...known(
    'IMAGE_TYPE_NOT_ALLOWED',
    'is empty',
    String.raw`is (?:not|an? [\w ]{1,30}, not) a JPEG, PNG or WebP image`,
    String.raw`is (?:gzip data|JSON text), not a JPEG, PNG or WebP image`,
  ),
  ...known(
    'IMAGE_NOT_READABLE',
    'could not be read: (?:it is cut short|its header is damaged|its data is damaged or cut short)',
    String.raw`could not be read: (?:it has \d{1,3} channels|decoding took longer than \d{1,3} s)`,
  ),
]

/** Returns the failure for a message of the embedded upstream; null for any other text. */
export function readImageFailure(message: string): SwapFailure | null {
  const [, which, problem = ''] = /^The (target|face) image (.{1,200})\.$/.exec(message) ?? []
  const found = which && PROBLEMS.find(({ pattern }) => pattern.test(problem))
  if (!found) return null
  const image = which === 'target' ? 'target' : 'swap'
  return { code: found.code, message: `The ${image} image ${problem}.`, retryable: found.isTransient === true }
}

function known(code: SwapFailureCode, ...patterns: readonly string[]): KnownProblem[] {
  return patterns.map((pattern) => ({ pattern: new RegExp(`^${pattern}$`), code }))
}

function download(code: SwapFailureCode, ...reasons: readonly string[]): KnownProblem[] {
  return known(code, ...reasons.map((reason) => `could not be downloaded: ${reason}`))
}

function transient(code: SwapFailureCode, ...reasons: readonly string[]): KnownProblem[] {
  return download(code, ...reasons).map((problem) => ({ ...problem, isTransient: true }))
}
