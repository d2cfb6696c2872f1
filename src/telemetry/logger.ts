import { type Logger, pino } from 'pino'
import { silentTelemetry } from './combine.ts'
import type { Telemetry } from './events.ts'

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Members with these names are redacted, down to the third level of a line. */
const SECRET_NAMES = ['authorization', 'password', 'secret', 'token', 'apiKey', 'connectionString']
/** Credentials redacted in any text: hook and watch tokens, bearer tokens, passwords in addresses. */
const SECRET_TEXT =
  /(?<=\/hooks\/swapface\/)[\w.-]+|\bswt_[\w.-]+|(?<=\bBearer )[^\s"\\]+|(?<=:\/\/[^\s/:@"]*:)[^\s@/"]+(?=@)/gi

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
    jobMoved: (job, { source }) => {
      const { id, status, version, upstreamStatus } = job
      const { code: failure, message: reason } = job.failure ?? {}
      logger.info({ job: id, status, version, source, upstreamStatus, failure, reason }, 'job moved')
    },
    evidenceTooLate: (job, { source, finding }) => {
      logger.warn({ job: job.id, status: job.status, source, finding: finding.kind }, 'late outcome ignored')
    },
    upstreamIdTaken: (job, { source }) => {
      logger.error({ job: job.id, source }, 'the upstream returned an id that belongs to another job')
    },
    submitEnded: (job, { kind, httpStatus, reason }) => {
      logger[kind === 'accepted' ? 'debug' : 'warn']({ job: job.id, kind, httpStatus, reason }, 'submit ended')
    },
    fetchEnded: (job, _source, { kind, reason }) => {
      if (kind === 'nothing') logger.warn({ job: job.id, reason }, 'fetch returned no usable status')
    },
    hookNotBound: (job) => {
      logger.warn({ job: job.id }, 'hook named an upstream job that does not belong to this job')
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
    jobNotRecorded: (error) => {
      logger.error({ err: error }, 'swap could not be recorded')
    },
    jobParked: (job, error) => {
      logger.error({ job: job.id, status: job.status, err: error }, 'job parked after repeated failures')
    },
    webhookAttempted: ({ id, jobId }, _attempt, state) => {
      if (state === 'EXHAUSTED') logger.error({ job: jobId, webhook: id }, 'webhook delivery failed for the last time')
    },
    mirrorFailed: (job, { code, reason, isFinal }) => {
      logger[isFinal ? 'error' : 'warn']({ job: job.id, code, reason, isFinal }, 'result could not be copied')
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
