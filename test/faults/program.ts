/**
 * The program that fault runs start, stop and kill: gateways in one process, on a fast clock. The parent
 * process opens and closes them by messages. Their settings are the real program's. `CLOCK_FACTOR` and
 * `CLOCK_ORIGIN` set the speed and the start of the clock, so that consecutive processes agree on the time.
 * Standard output carries their logs as JSON lines with the number of the gateway.
 */
import { openApp } from '../../src/app/app.ts'
import { toConfig } from '../../src/config/config.ts'
import { openDataDir } from '../../src/config/data-dir.ts'
import { parseSettings } from '../../src/config/env.ts'
import { listSecrets, readSecrets } from '../../src/config/secrets.ts'
import { type Closers, createClosers } from '../../src/lib/async/closers.ts'
import type { Clock } from '../../src/lib/time/clock.ts'
import { armFaultPoint } from '../../src/lib/fault-points.ts'
import { createLogger, createLogTelemetry } from '../../src/telemetry/logger.ts'
import { createFastClock } from '../support/fast-clock.ts'
import type { Reply, Request } from './gateway-process.ts'

const gateways = new Map<number, Closers>()

/** Creates a fast clock that starts where the clock of earlier processes would be now. */
function createSharedClock(factor: number, origin: number): Clock {
  const ahead = (Date.now() - origin) * (factor - 1)
  const clock = createFastClock(factor)
  return { ...clock, now: () => Math.floor(clock.now() + ahead) }
}

/** Opens one gateway; returns its address. */
async function open(id: number, env: Readonly<Record<string, string>>): Promise<string> {
  const closers = createClosers()
  gateways.set(id, closers)
  const values = parseSettings(env)
  const config = toConfig(values)
  const folder = await openDataDir(config.dataDir)
  closers.add(() => folder.release())
  const secrets = readSecrets(values, config.dataDir)
  const logger = await createLogger(config.logLevel, listSecrets(secrets))
  if (env['FAULT_AT']) armFaultPoint(env['FAULT_AT'])

  const app = await openApp({
    config,
    secrets,
    telemetry: createLogTelemetry(logger.child({ gateway: id })),
    version: '0.0.0-test',
    upstreamLog: () => {},
    clock: createSharedClock(Number(env['CLOCK_FACTOR'] ?? 1), Number(env['CLOCK_ORIGIN'] ?? Date.now())),
  })
  closers.add(() => app.close())
  return app.url
}

async function close(id: number): Promise<void> {
  await gateways.get(id)?.closeAll()
  gateways.delete(id)
}

async function answer(request: Request): Promise<Reply> {
  const { id, kind } = request
  try {
    if (request.kind === 'open') return { id, kind, url: await open(id, request.env) }
    if (request.kind === 'close') await close(id)
    else armFaultPoint(request.faultAt)
    return { id, kind }
  } catch (error) {
    await close(id).catch(() => null)
    return { id, kind, problem: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

// If the parent dies, nothing else would end this process.
process.on('disconnect', () => process.exit())
process.on('message', (request: Request) => {
  void answer(request).then((reply) => process.send?.(reply))
})
process.on('SIGTERM', () => {
  void Promise.all([...gateways.keys()].map(close)).finally(() => process.disconnect())
})
