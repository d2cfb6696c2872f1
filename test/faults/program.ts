/**
 * The gateway as a process of its own, on a clock that runs fast: what the fault runs start, stop and kill. Settings
 * come from the environment as for the real program; `CLOCK_FACTOR` and `CLOCK_ORIGIN` say how fast its time runs and
 * since when, so that processes that follow each other agree on it. Standard output carries JSON lines: one that says
 * `ready`, and the log.
 */
import { openApp } from '../../src/app.ts'
import { toConfig } from '../../src/config/config.ts'
import { openDataDir } from '../../src/config/data-dir.ts'
import { parseSettings } from '../../src/config/env.ts'
import { listSecrets, readSecrets } from '../../src/config/secrets.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { armFaultPoint } from '../../src/lib/fault-points.ts'
import { createLogger, createTelemetry } from '../../src/telemetry/logger.ts'
import { createFastClock } from '../support/fast-clock.ts'

/** A fast clock of this process shows at its start how far the shared one has run since `origin`. */
function createSharedClock(factor: number, origin: number): Clock {
  const ahead = (Date.now() - origin) * (factor - 1)
  const clock = createFastClock(factor)
  return { ...clock, now: () => Math.floor(clock.now() + ahead) }
}

// From the first moment: when the run is gone, nobody is left who could end this one.
process.on('disconnect', () => process.exit())

const env = process.env
const values = parseSettings(env)
const config = toConfig(values)
// Until the process ends.
await openDataDir(config.dataDir)
const secrets = readSecrets(values, config.dataDir)
const logger = await createLogger(config.logLevel, listSecrets(secrets))
if (env['FAULT_AT']) armFaultPoint(env['FAULT_AT'])

const app = await openApp({
  config,
  secrets,
  telemetry: createTelemetry(logger),
  upstreamLog: () => {},
  clock: createSharedClock(Number(env['CLOCK_FACTOR'] ?? 1), Number(env['CLOCK_ORIGIN'] ?? Date.now())),
})
process.stdout.write(`${JSON.stringify({ ready: app.url })}\n`)

// Armed in the middle of a run, so that a fault does not wait for the first time its place is reached.
process.on('message', (message) => {
  if (typeof message === 'object' && message !== null && 'arm' in message) {
    armFaultPoint(String(message.arm))
    process.send?.({ armed: message.arm })
  }
})
process.on('SIGTERM', () => {
  void app.close().finally(() => process.disconnect())
})
