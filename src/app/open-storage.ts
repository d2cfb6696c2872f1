import type { EventBus } from '../bus/event-bus.ts'
import { createMemoryBus } from '../bus/memory.ts'
import { SettingError } from '../config/env.ts'
import { systemClock } from '../lib/time/clock.ts'
import { createRateLimiter, type RateLimiter } from '../lib/time/rate-limiter.ts'
import type { RequestLimiter } from '../limits/limiter.ts'
import { createRequestLimiter } from '../limits/request-limiter.ts'
import type { ImageStore } from '../store/image-store.ts'
import type { WebhookStore } from '../store/webhook-store.ts'
import type { JobStore } from '../store/job-store.ts'
import { createCachedJobStore } from '../store/sqlite/job-cache.ts'
import { createImageStore } from '../store/sql/image-store.ts'
import { createWebhookStore } from '../store/sql/webhook-store.ts'
import { createJobStore } from '../store/sql/job-store.ts'
import { openDatabase as openSqlite } from '../store/sqlite/engine.ts'
import type { Runtime } from './runtime.ts'

export interface Storage {
  readonly store: JobStore
  readonly images: ImageStore
  readonly webhooks: WebhookStore
  readonly bus: EventBus
  readonly fetchLimiter: RateLimiter
  readonly limiter: RequestLimiter
  /** Size of the database on disk. */
  sizeBytes(): Promise<number>
  close(): Promise<void>
}

/** The request limiter uses the system's clock, even if jobs run on another one. */
const systemNow = () => systemClock.now()

/** Opens the stores and the state that processes share: in a file for one process, in PostgreSQL for several. */
export async function openStorage({
  config,
  secrets,
  telemetry,
  background,
  clock,
  stopping,
}: Runtime): Promise<Storage> {
  const { postgresUrl } = secrets
  const { databaseQueried, cacheRead, backgroundFailed: onFailure } = telemetry
  const { fetchPerSecond, requestsPerMinute } = config
  if (postgresUrl === null) {
    const engine = await openSqlite(config.databasePath ?? '', databaseQueried)
    return {
      store: createCachedJobStore(createJobStore(engine), (hits, misses) => cacheRead('job', hits, misses)),
      images: createImageStore(engine),
      webhooks: createWebhookStore(engine),
      bus: createMemoryBus(),
      fetchLimiter: createRateLimiter(fetchPerSecond, clock),
      limiter: createRequestLimiter(requestsPerMinute, systemNow),
      sizeBytes: async () => engine.sizeBytes(),
      close: () => engine.db.destroy(),
    }
  }
  // Loaded only if it is used.
  const [
    { openDatabase },
    { describeConnectProblem },
    { createSharedRequestLimiter },
    { createSharedRateLimiter },
    { openPostgresBus },
  ] = await Promise.all([
    import('../store/postgres/engine.ts'),
    import('../store/postgres/connect-problem.ts'),
    import('../limits/shared-request-limiter.ts'),
    import('../store/postgres/rate-limiter.ts'),
    import('../bus/postgres.ts'),
  ])
  const engine = await openDatabase(postgresUrl, databaseQueried, (error) =>
    onFailure('keep a connection', error),
  ).catch((error: unknown) => {
    const { host } = new URL(postgresUrl)
    throw new SettingError('DATABASE_URL', `cannot be used: PostgreSQL at ${host}: ${describeConnectProblem(error)}.`)
  })
  const store = createJobStore(engine)
  const { listLatestChanges } = store
  return {
    store,
    images: createImageStore(engine),
    webhooks: createWebhookStore(engine),
    bus: openPostgresBus({ url: postgresUrl, listLatestChanges, background, clock, stopping, onFailure }),
    fetchLimiter: createSharedRateLimiter(engine.db, fetchPerSecond, clock),
    limiter: createSharedRequestLimiter(engine.pool, requestsPerMinute, systemNow),
    sizeBytes: async () => engine.sizeBytes(),
    close: () => engine.db.destroy(),
  }
}
