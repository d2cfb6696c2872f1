/**
 * Parses the upstream's JSON into domain types. Tolerant: the reference, newer documentation and live responses differ
 * (`jobId` or `job_id`, numbers as text, null data, unknown statuses, HTML from a proxy). A response that cannot be
 * parsed says nothing about the job. Parsed values fit every database and the schema. Failure texts of the upstream
 * never reach a caller: `failure-texts.ts` maps them to our own. Operators also get the sanitised text.
 */
import { MAX_ADDRESS_CHARS } from '../domain/address.ts'
import { isStorable, MAX_INT } from '../domain/storable.ts'
import type { SwapFailure } from '../domain/swap-job.ts'
import type { HttpAnswer } from './call.ts'
import { isNoAccountsText, toFailure } from './failure-texts.ts'
import { sanitiseUpstreamMessage } from './upstream-message.ts'
import type { Echo, FetchOutcome, SubmitOutcome } from './upstream.ts'

/** Longer than any id seen; a longer text is not an id. */
const MAX_ID_CHARS = 200
const MAX_WORD_CHARS = 64

/**
 * Reads the response to a submit. A 2xx without a readable id is `unknown`: the job may exist.
 * @param key the upstream key, which is removed from the upstream's message.
 */
export function parseSubmitAnswer(answer: HttpAnswer, key: string): SubmitOutcome {
  const { httpStatus } = answer
  const document = parseObject(answer.body)
  const unknown = (reason: string): SubmitOutcome => ({
    kind: 'unknown',
    httpStatus,
    reason,
    upstreamMessage: readMessage(document, key),
  })
  const refusal = (transient: boolean): SubmitOutcome => ({
    kind: 'refused',
    httpStatus,
    transient,
    retryAfterMs: answer.retryAfterMs,
    failure: toSubmitFailure(httpStatus, document),
    upstreamMessage: readMessage(document, key),
  })
  if (httpStatus >= 200 && httpStatus < 300) {
    const upstreamId = document ? readId(document) : null
    if (upstreamId !== null) return { kind: 'accepted', upstreamId }
    if (document && readText(document['status']) === 'FAILED') return refusal(isNoAccounts(document))
    return unknown(`HTTP ${httpStatus} without a job id`)
  }
  if (httpStatus === 429 || httpStatus === 499) return refusal(true)
  if (httpStatus === 400) return refusal(document !== null && isNoAccounts(document))
  if (httpStatus === 401 || httpStatus === 402 || httpStatus === 403 || httpStatus === 404) return refusal(false)
  return unknown(`HTTP ${httpStatus}`)
}

/**
 * Reads the response to a fetch of `upstreamId`.
 * @param key the upstream key, which is removed from the upstream's message.
 */
export function parseFetchAnswer(upstreamId: string, answer: HttpAnswer, key: string): FetchOutcome {
  const document = parseObject(answer.body)
  const { httpStatus } = answer
  const nothing = (reason: string, isDown = false): FetchOutcome => {
    return { kind: 'nothing', httpStatus, reason, upstreamMessage: readMessage(document, key), isDown }
  }
  if (httpStatus !== 200) return nothing(`HTTP ${httpStatus}`, httpStatus >= 500 || httpStatus === 429)
  if (!document) return nothing('not a JSON object')
  const word = readWord(document['status'])
  if (word === '') return nothing('no status')
  const data = asObject(document['data'])
  const echo = readEcho(data)
  const answeredId = readId(document)
  if (answeredId !== null && answeredId !== upstreamId) return nothing('about another job')

  if (word === 'SUCCESS') {
    const links = { cdnImage: readUrl(data?.['cdnImage']), discordImage: readUrl(data?.['discordImage']) }
    // SUCCESS without links is not an outcome yet: the gateway polls again.
    if (links.cdnImage === null && links.discordImage === null) return { kind: 'unfinished', upstreamId, word, echo }
    return { kind: 'succeeded', upstreamId, word, echo, links, quota: readQuota(data?.['quota']) }
  }
  if (word === 'FAILED') {
    // The response for an unknown id may look the same, but does not contain the id.
    if (answeredId === null) return nothing('FAILED without a job id')
    const failure = toFailure(readText(document['message']) ?? '')
    return { kind: 'failed', upstreamId, word, echo, failure, upstreamMessage: readMessage(document, key) }
  }
  return { kind: 'unfinished', upstreamId, word, echo }
}

/** `Upstream.readHookId`. */
export function readHookId(body: string): string | null {
  const document = parseObject(body)
  return document ? readId(document) : null
}

function toSubmitFailure(httpStatus: number, document: Record<string, unknown> | null): SwapFailure {
  switch (httpStatus) {
    case 401:
      return { code: 'UPSTREAM_REFUSED', message: "The upstream does not accept the gateway's key.", retryable: false }
    case 402:
      return {
        code: 'UPSTREAM_QUOTA_EXHAUSTED',
        message: 'The upstream account does not have enough quota left.',
        retryable: true,
      }
    case 403:
      return { code: 'UPSTREAM_REFUSED', message: "The upstream has blocked the gateway's account.", retryable: false }
    case 404:
      return { code: 'UPSTREAM_REFUSED', message: 'The upstream has no swap service at TTAPI_URL.', retryable: false }
    default: {
      const failure = toFailure(document ? (readText(document['message']) ?? '') : '')
      return failure.code === 'UPSTREAM_FAILED'
        ? { code: 'UPSTREAM_REFUSED', message: 'The upstream refused the swap.', retryable: false }
        : failure
    }
  }
}

function readMessage(document: Record<string, unknown> | null, key: string): string | null {
  const message = readText(document?.['message'])
  return message === null ? null : sanitiseUpstreamMessage(message, key)
}

function isNoAccounts(document: Record<string, unknown>): boolean {
  return readId(document) === null && isNoAccountsText(readText(document['message']) ?? '')
}

function parseObject(body: string): Record<string, unknown> | null {
  try {
    return asObject(JSON.parse(body))
  } catch {
    // Not JSON: an HTML page of a proxy, or a truncated response.
    return null
  }
}

function asObject(value: unknown): Record<string, unknown> | null {
  return isObject(value) ? value : null
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function readId(document: Record<string, unknown>): string | null {
  const data = asObject(document['data'])
  for (const candidate of [data?.['jobId'], data?.['job_id'], document['jobId'], document['job_id']]) {
    if (typeof candidate === 'string' && isId(candidate)) return candidate
    if (typeof candidate === 'number' && Number.isSafeInteger(candidate)) return String(candidate)
  }
  return null
}

function isId(text: string): boolean {
  return text !== '' && text.length <= MAX_ID_CHARS && isStorable(text) && !/\p{Cc}/u.test(text)
}

/** Reads a status that callers may see: truncated, without characters that cannot be stored or shown. */
function readWord(value: unknown): string {
  const text = readText(value) ?? ''
  return text.slice(0, MAX_WORD_CHARS).replaceAll(/[\p{Cc}\p{Surrogate}]/gu, '')
}

function readEcho(data: Record<string, unknown> | null): Echo {
  return {
    targetImage: readText(data?.['targetImage']) || null,
    swapImage: readText(data?.['swapImage']) || null,
    hookUrl: readText(data?.['hookUrl']) || null,
  }
}

function readText(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function readUrl(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > MAX_ADDRESS_CHARS || !/^https?:\/\//i.test(value)) return null
  return isStorable(value) && !/\p{Cc}/u.test(value) ? value : null
}

function readQuota(value: unknown): number | null {
  const quota = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof quota === 'number' && Number.isSafeInteger(quota) && quota >= 0 && quota <= MAX_INT ? quota : null
}
