/** The process: environment → configuration → app, signals, exit code. */
import { type App, openApp } from './app.ts'
import { type Config, isLoopback, toConfig } from './config/config.ts'
import { readEnv, SettingError } from './config/env.ts'
import { listSecrets, readSecrets } from './config/secrets.ts'
import { describeSettings } from './config/settings.ts'
import { armFaultPoint } from './lib/fault-points.ts'
import { createLogger, createTelemetry } from './telemetry/logger.ts'

const STOP_WITHIN_MS = 30_000

async function main(): Promise<void> {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    process.stdout.write(`${helpText()}\n`)
    return
  }
  const values = readEnv()
  if (values.FAULT_AT !== undefined) armFaultPoint(values.FAULT_AT)
  const config = toConfig(values)
  const secrets = readSecrets(values, config.dataDir)
  const logger = await createLogger(config.logLevel, listSecrets(secrets))
  const app = await openApp({
    config,
    secrets,
    telemetry: createTelemetry(logger),
    upstreamLog: ({ event, ...rest }) => {
      if (event === 'fault') logger.error({ err: 'error' in rest ? rest.error : rest }, 'embedded upstream')
      else logger.debug(rest, `embedded upstream: ${event}`)
    },
  })
  process.stdout.write(`${welcomeText(app, config)}\n`)
  if (!app.upstream.embedded && isLoopback(new URL(app.publicUrl).hostname)) {
    logger.warn('the upstream cannot send hooks to a loopback PUBLIC_URL: results come by polling, and later')
  }
  stopOn(['SIGINT', 'SIGTERM'], app, (error) => logger.error({ err: error }, 'could not stop cleanly'))
}

/** The first signal drains and closes; a second one, or a drain that takes too long, ends the process at once. */
function stopOn(signals: readonly NodeJS.Signals[], app: App, onFailure: (error: unknown) => void): void {
  let stopping = false
  const stop = () => {
    if (stopping) process.exit(1)
    stopping = true
    setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref()
    app.close().catch((error: unknown) => {
      onFailure(error)
      process.exitCode = 1
    })
  }
  for (const signal of signals) process.on(signal, stop)
}

function helpText(): string {
  return `swapface-gateway: one typed GraphQL graph over TTAPI's SwapFace API.

Usage: npm start            serve
       npm start -- --help  this text

Settings (environment; .env is read where present):
${describeSettings()}`
}

function welcomeText({ publicUrl, upstream, exampleImages }: App, { graphiql, authenticates }: Config): string {
  const key = authenticates ? " -H 'authorization: Bearer YOUR_KEY'" : ''
  const post = `curl -sN ${publicUrl}/graphql${key} -H 'content-type: application/json'`
  const { targetImage, swapImage } = exampleImages
  const input = `{ targetImage: { url: \\"${targetImage}\\" }, swapImage: { url: \\"${swapImage}\\" } }`
  const create = `mutation { createSwap(input: ${input}) { ... on CreateSwapSuccess { job { id status } } ... on SwapError { code message } } }`
  const watch = 'subscription ($id: ID!) { swapJobUpdated(id: $id) { status done result { url } failure { message } } }'
  return `
swapface-gateway is ready.

  Page       ${publicUrl}/
  GraphQL    ${publicUrl}/graphql${graphiql ? '  (GraphiQL in a browser)' : ''}
  Upstream   ${upstream.url}${upstream.embedded ? '  (embedded; swaps on this machine, no key needed)' : ''}

Start a swap:

${post} -d '{"query":"${create}"}'

Watch it, with the id from the answer in place of JOB_ID:

${post} -H 'accept: text/event-stream' -d '{"query":"${watch}","variables":{"id":"JOB_ID"}}'
`
}

main().catch((error: unknown) => {
  const isSettled =
    error instanceof SettingError || (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')
  process.stderr.write(
    `swapface-gateway cannot start: ${error instanceof Error ? (isSettled ? error.message : error.stack) : String(error)}\n`,
  )
  process.exitCode = 1
})
