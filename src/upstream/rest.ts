/**
 * The upstream over HTTP, through undici. Submits have their own pool without keep-alive, so that a stale connection
 * never makes an outcome ambiguous. Each call has a total timeout and a limit of bytes, and follows no redirect. The
 * key is sent to the configured origin only.
 */
import { buildConnector, errors, Pool } from 'undici'
import { readErrorCode } from '../lib/error-code.ts'
import { call, NotSentError } from './call.ts'
import type { FetchOutcome, SubmitOutcome, Upstream } from './upstream.ts'
import { parseFetchAnswer, parseSubmitAnswer, readHookId } from './wire.ts'

export interface RestUpstreamOptions {
  /** Base address, without `/insightFace/…`. */
  readonly url: string
  readonly key: string
  /** Total, from the call to the last byte of the response. */
  readonly submitTimeoutMs: number
  readonly fetchTimeoutMs: number
}

export interface RestUpstream extends Upstream {
  close(): Promise<void>
}

const CONNECT_TIMEOUT_MS = 5_000
const FETCH_CONNECTIONS = 32

export function openRestUpstream(options: RestUpstreamOptions): RestUpstream {
  const base = new URL(options.url)
  const path = `${base.pathname.replace(/\/$/, '')}/insightFace/v1`
  const headers = {
    'tt-api-key': options.key,
    'user-agent': 'swapface-gateway',
    'accept-encoding': 'identity',
    accept: 'application/json',
  }
  const submitHeaders = { 'content-type': 'application/json', ...headers }
  const submits = new Pool(base.origin, {
    // A connection per submit: otherwise a submit that timed out in the pool's queue would look like one whose response
    // was lost.
    connections: null,
    pipelining: 0,
    connect: endQuietly(buildConnector({ timeout: CONNECT_TIMEOUT_MS })),
  })
  const fetches = new Pool(base.origin, { connections: FETCH_CONNECTIONS, connect: { timeout: CONNECT_TIMEOUT_MS } })

  return {
    submit: async (request): Promise<SubmitOutcome> => {
      try {
        return parseSubmitAnswer(
          await call(submits, options.submitTimeoutMs, {
            method: 'POST',
            path: `${path}/swap`,
            headers: submitHeaders,
            body: JSON.stringify(request),
          }),
          options.key,
        )
      } catch (error) {
        const reason = describe(error)
        return error instanceof NotSentError
          ? { kind: 'notSent', reason }
          : { kind: 'unknown', httpStatus: null, reason, upstreamMessage: null }
      }
    },

    fetch: async (upstreamId): Promise<FetchOutcome> => {
      try {
        const answer = await call(fetches, options.fetchTimeoutMs, {
          method: 'GET',
          path: `${path}/fetch?jobId=${encodeURIComponent(upstreamId)}`,
          headers,
        })
        return parseFetchAnswer(upstreamId, answer, options.key)
      } catch (error) {
        return { kind: 'nothing', httpStatus: null, reason: describe(error), upstreamMessage: null, isDown: true }
      }
    },

    readHookId,

    close: async () => {
      await Promise.all([submits.destroy(), fetches.destroy()])
    },
  }
}

/**
 * Drops the error with which undici closes a used connection: Node formats its stack, which costs more than the call.
 */
function endQuietly(connect: buildConnector.connector): buildConnector.connector {
  return (options, callback) => {
    connect(options, (...[error, socket]) => {
      if (error) return callback(error, null)
      const destroy = socket.destroy.bind(socket)
      socket.destroy = (reason) => destroy(reason instanceof errors.InformationalError ? undefined : reason)
      callback(null, socket)
    })
  }
}

/** A reason for logs: error codes only, never a text that might carry an address or a key. */
function describe(error: unknown): string {
  const cause = error instanceof NotSentError ? error.cause : error
  return cause instanceof Error ? readErrorCode(cause) || cause.name : 'unknown'
}
