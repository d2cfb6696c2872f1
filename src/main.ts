/** The process: environment → configuration → app, signals, exit code. */
import { readFileSync, writeSync } from 'node:fs'
import { type App, openApp } from './app/app.ts'
import { describeReady, toBanner } from './app/ready.ts'
import { type Config, isLoopback, toConfig } from './config/config.ts'
import { openDataDir } from './config/data-dir.ts'
import { SettingError } from './config/env.ts'
import { readEnv } from './config/read-env.ts'
import { listSecrets, readSecrets, type Secrets } from './config/secrets.ts'
import { describeSettings, listChanged } from './config/settings.ts'
import { toStartLine } from './config/start-error.ts'
import { armFaultPoint } from './lib/fault-points.ts'
import { combineTelemetry } from './telemetry/combine.ts'
import { createLogger, createLogTelemetry, reportReady } from './telemetry/logger.ts'

/** How long a stop may take after DRAIN_READY_S. */
const STOP_WITHIN_MS = 40_000
const EXIT_WITHIN_MS = 2_000
/** A terminal sends Ctrl-C to the whole process group and npm forwards it again, so one Ctrl-C is two signals. */
const SAME_SIGNAL_MS = 1_000

/** Set once the settings are read, so that a later startup failure can name the setting. */
let known: Config | null = null

async function main(args: readonly string[]): Promise<void> {
  const [first] = args
  if (args.includes('--help') || args.includes('-h')) return print(helpText())
  if (first === '--version' || first === '-v') return print(readVersion())
  if (first !== undefined) throw new SettingError(`"${first}"`, 'is not an argument of this program. See --help.')

  const startedAt = performance.now()
  const { values, unknown, renamed } = readEnv()
  if (values.FAULT_AT !== undefined) arm(values.FAULT_AT)
  const config = toConfig(values)
  known = config
  const stopRequested = listenForStop(['SIGINT', 'SIGTERM'], config.drainReadyMs + STOP_WITHIN_MS)
  const dataDir = await openDataDir(config.dataDir)
  const secrets = readSecrets(values, config.dataDir)
  const logger = await createLogger(config.logLevel, listSecrets(secrets))
  const version = readVersion()
  const database = secrets.postgresUrl === null ? 'sqlite' : 'postgres'
  const upstream = config.upstreamUrl ?? 'embedded'
  logger.info({ version, node: process.version, database, upstream, settings: listChanged(values) }, 'starting')
  for (const { name, nearest } of unknown)
    logger.warn(`${name} is not a setting and is ignored. Did you mean ${nearest}?`)
  for (const { name, now } of renamed) logger.warn(`${name} is now called ${now}. Rename it: the old name still works.`)
  const app = await openApp({
    config,
    secrets,
    telemetry: combineTelemetry([createLogTelemetry(logger)]),
    version,
    upstreamLog: ({ event, ...rest }) => {
      if (event === 'fault') logger.error({ err: 'error' in rest ? rest.error : rest }, 'embedded upstream')
      else logger.debug(rest, `embedded upstream: ${event}`)
    },
  })
  const facts = { ...config, ...app, version, createdApiKey: secrets.createdApiKey }
  if (process.stdout.isTTY) print(toBanner(facts))
  else reportReady(logger, { ...describeReady(facts), startedInMs: Math.round(performance.now() - startedAt) })
  app.runStartChecks()
  for (const warning of listWarnings(app, config, secrets)) logger.warn(warning)

  const signal = await stopRequested
  const stoppingAt = performance.now()
  logger.info({ signal, drainReadyMs: config.drainReadyMs }, 'draining')
  try {
    await app.close()
    dataDir.release()
    logger.info({ durationMs: Math.round(performance.now() - stoppingAt) }, 'stopped')
  } catch (error) {
    logger.error({ err: error }, 'could not stop cleanly')
    process.exitCode = 1
  }
}

function listWarnings(app: App, { blobUrl }: Config, { postgresUrl }: Secrets): readonly string[] {
  const isDeaf = !app.upstream.embedded && isLoopback(new URL(app.publicUrl).hostname)
  const isApart = postgresUrl !== null && blobUrl.startsWith('file:')
  return [
    ...(isDeaf
      ? [
          'the upstream cannot send hooks to a loopback PUBLIC_URL, so results arrive later, by polling. Set PUBLIC_URL to a public address.',
        ]
      : []),
    ...(isApart
      ? [
          'BLOB_URL is a folder, but processes on PostgreSQL share their images: mount the folder on a shared volume, or use s3://…. Otherwise each process returns 404 for the images of the others.',
        ]
      : []),
  ]
}

function arm(spec: string): void {
  try {
    armFaultPoint(spec)
  } catch (error) {
    throw error instanceof TypeError ? new SettingError('FAULT_AT', error.message) : error
  }
}

/**
 * Resolves at the first of `signals`. A second signal, at least a second later, or a stop that takes too long, exits at
 * once. Call it before anything is opened: without a listener, a signal kills the process in the middle of its start,
 * and process 1 of a container ignores it.
 */
function listenForStop(signals: readonly NodeJS.Signals[], withinMs: number): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let stoppingSince: number | null = null
    const stop = (signal: NodeJS.Signals) => {
      if (stoppingSince !== null) {
        if (performance.now() - stoppingSince > SAME_SIGNAL_MS) process.exit(1)
        return
      }
      stoppingSince = performance.now()
      setTimeout(() => process.exit(1), withinMs).unref()
      resolve(signal)
    }
    for (const signal of signals) process.on(signal, () => stop(signal))
  })
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function readVersion(): string {
  const parsed: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return typeof parsed === 'object' && parsed !== null && 'version' in parsed ? String(parsed.version) : 'unknown'
}

function helpText(): string {
  return `swapface-gateway: one typed GraphQL graph over TTAPI's SwapFace API.

Usage: npm start               serve
       npm start -- --help     this text
       npm start -- --version  the version

Settings (environment variables, or lines of a .env file):
${describeSettings()}`
}

main(process.argv.slice(2)).catch((error: unknown) => {
  writeSync(process.stderr.fd, `swapface-gateway cannot start: ${toStartLine(error, known)}\n`)
  process.exitCode = 1
  // A call blocked by a file system that does not answer would keep even process.exit() from ending.
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), EXIT_WITHIN_MS).unref()
})
