import { type Logger, pino } from 'pino'
import { isDone, type ObservationSource, type SwapJob } from '../domain/swap-job.ts'
import { traceIdOf } from '../domain/trace-context.ts'
import { silentTelemetry } from './combine.ts'
import type { Telemetry } from './events.ts'

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Members with these names are redacted, down to the third level of a line. */
const SECRET_NAMES = ['authorization', 'password', 'secret', 'token', 'apiKey', 'connectionString']
/** Credentials redacted in any text: hook and watch tokens, bearer tokens, passwords in addresses. */
const SECRET_TEXT =
  /(?<=\/hooks\/swapface\/)[\w.-]+|\bswt_[\w.-]+|(?<=\bBearer )(?!YOUR_KEY\b)[^\s"\\]+|(?<=:\/\/[^\s/:@"]*:)[^\s@/"]+(?=@)/gi

/**
 * Creates a logger that writes JSON lines to standard output, or readable text if that is a terminal.
 * @param secrets texts that are redacted in every line, wherever they occur.
 */
export async function createLogger(level: LogLevel, secrets: readonly string[]): Promise<Logger> {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: SECRET_NAMES.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: HIDDEN },
    hooks: { streamWrite: createSecretHider(secrets) },
  }
  if (!process.stdout.isTTY) return pino(options)
  const { default: pretty } = await import('pino-pretty')
  return pino(options, pretty({ sync: true, translateTime: 'HH:MM:ss.l', ignore: 'pid,hostname' }))
}

/** Writes the line that says that the program is ready. Programs wait for it, so LOG_LEVEL does not suppress it. */
export function reportReady(
  logger: Logger,
  { msg, ...facts }: { readonly msg: string; readonly [name: string]: unknown },
): void {
  logger.child({}, { level: 'info' }).info(facts, msg)
}

const HIDDEN = '[hidden]'

/** @param secrets long enough not to occur in a line by chance. */
export function createSecretHider(secrets: readonly string[]): (line: string) => string {
  const spellings = [...new Set(secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]))]
  return (line) =>
    spellings.reduce((text, written) => text.replaceAll(written, HIDDEN), line.replaceAll(SECRET_TEXT, HIDDEN))
}

/** Business events as log lines. */
export function createLogTelemetry(logger: Logger): Telemetry {
  return {
    ...silentTelemetry,
    jobCreated: (job, requestId) => {
      logger.info({ ...nameJob(job), tenant: job.tenant, requestId }, 'swap accepted')
    },
    jobMoved: (job, { source }) => {
      if (isDone(job.status)) return logger.info(describeEnd(job, source), 'swap ended')
      const { status, version, upstreamStatus } = job
      // `swap submitted` says the same.
      const level = source === 'SUBMIT' && status === 'ON_QUEUE' ? 'debug' : 'info'
      logger[level]({ ...nameJob(job), status, version, source, upstreamStatus }, 'job moved')
    },
    evidenceTooLate: (job, { source, finding }) => {
      logger.warn({ ...nameJob(job), status: job.status, source, finding: finding.kind }, 'late outcome ignored')
    },
    upstreamIdTaken: (job, { source }) => {
      logger.error({ ...nameJob(job), source }, 'the upstream returned an id that belongs to another job')
    },
    submitEnded: (job, { kind, httpStatus, reason, upstreamId, upstreamMessage }, interval) => {
      const durationMs = interval.endedAt - interval.startedAt
      const { tenant } = job
      if (kind === 'accepted') return logger.info({ ...nameJob(job), tenant, upstreamId, durationMs }, 'swap submitted')
      const line = { ...nameJob(job), tenant, kind, httpStatus, reason, upstreamMessage, durationMs }
      logger[isAboutKey(httpStatus) ? 'debug' : 'warn'](line, 'submit ended')
    },
    fetchEnded: (job, _source, { kind, httpStatus, reason, upstreamMessage }) => {
      if (kind !== 'nothing') return
      const line = { ...nameJob(job), httpStatus, reason, upstreamMessage }
      logger[isAboutKey(httpStatus) ? 'debug' : 'warn'](line, 'fetch returned no usable status')
    },
    keyAccepted: () => {
      logger.info('the upstream accepts the key')
    },
    keyRefused: (httpStatus) => {
      logger.error(
        { httpStatus },
        'the upstream refuses the key, so every swap fails. Check TTAPI_KEY, TTAPI_URL and the account.',
      )
    },
    keyNotTested: (httpStatus, reason) => {
      logger.warn({ httpStatus, reason }, 'the upstream could not be reached to test the key. Check TTAPI_URL.')
    },
    publicUrlProbed: (publicUrl, problem) => {
      if (problem === null) return logger.info({ publicUrl }, 'PUBLIC_URL leads to this gateway')
      const advice = 'Check PUBLIC_URL, DNS and the proxy. Until then hooks may not arrive, and results arrive later.'
      logger.warn({ publicUrl, problem }, `PUBLIC_URL does not lead to this gateway: ${problem}. ${advice}`)
    },
    hookNotBound: (job) => {
      logger.warn({ ...nameJob(job) }, 'hook named an upstream job that does not belong to this job')
    },
    hookRefused: () => {
      logger.debug('hook with an invalid token')
    },
    originRefused: (origin) => {
      const hint = origin === 'null' ? 'serve it over http or https' : 'to allow it, add the origin to ALLOWED_ORIGINS'
      logger.warn({ origin }, `refused a request from a web page of another origin: ${hint}`)
    },
    hookNotRecorded: (error) => {
      logger.error({ err: error }, 'hook could not be recorded')
    },
    jobNotRecorded: (error, requestId) => {
      logger.error({ err: error, requestId, code: 'UNAVAILABLE' }, 'swap could not be recorded')
    },
    jobParked: (job, error) => {
      logger.error({ ...nameJob(job), status: job.status, err: error }, 'job parked after repeated failures')
    },
    webhookAttempted: ({ id: webhook, jobId, traceContext }, _attempt, state) => {
      const fields = { ...nameJob({ id: jobId, traceContext }), webhook }
      if (state === 'EXHAUSTED') logger.error(fields, 'webhook delivery failed for the last time')
    },
    mirrorFailed: (job, { code, reason, isFinal }) => {
      logger[isFinal ? 'error' : 'warn']({ ...nameJob(job), code, reason, isFinal }, 'result could not be copied')
    },
    requestErred: (error, requestId) => {
      logger.error({ err: error, requestId, code: 'INTERNAL_SERVER_ERROR' }, 'could not answer a request')
    },
    requestFailed: (requestId, method, httpStatus, code) => {
      logger.warn({ requestId, method, httpStatus, code }, 'request failed')
    },
    backgroundFailed: (what, error) => {
      logger.error({ err: error }, `could not ${what}`)
    },
    fastPathFellBack: (reason) => {
      logger.trace({ reason }, 'left to the engine')
    },
    shutdownStepBegan: (name) => {
      logger.debug(`shutdown: ${name}`)
    },
    databaseQueried: () => {
      logger.trace('database queried')
    },
  }
}

/** Whether `keyRefused` reports the status, once. The lines of single calls are then at debug level. */
function isAboutKey(httpStatus: number | null): boolean {
  return httpStatus === 401 || httpStatus === 403
}

function describeEnd(job: SwapJob, source: ObservationSource): object {
  const { tenant, status, version, upstreamId, failure, upstreamMessage, charge } = job
  const { createdAt, submittedAt, finishedAt } = job
  return {
    ...nameJob(job),
    tenant,
    status,
    version,
    source,
    upstreamId,
    ...(failure && { code: failure.code, reason: failure.message, upstreamMessage }),
    quota: charge.quota,
    sinceCreatedMs: finishedAt === null ? null : finishedAt - createdAt,
    sinceSubmittedMs: finishedAt === null || submittedAt === null ? null : finishedAt - submittedAt,
  }
}

/** The fields that identify a job in a log line; without `traceId` if it has no trace. */
function nameJob({ id, traceContext }: Pick<SwapJob, 'id' | 'traceContext'>) {
  return { job: id, traceId: traceIdOf({ traceContext }) }
}
