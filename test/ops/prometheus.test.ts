/**
 * A gateway and a real Prometheus: the metrics are valid, the dashboard and the alerts use existing metrics and labels,
 * and each alert fires in its situation. The rules are evaluated without their `for`, so each situation lasts for one
 * evaluation instead of minutes.
 */
import { spawnSync } from 'node:child_process'
import { beforeAll, describe, expect, test } from 'vitest'
import { findFreePort } from '../faults/gateway-process.ts'
import { closeAfterGroup, closeAfterTest } from '../support/close-after-test.ts'
import { openFakeUpstream } from '../support/fake-upstream.ts'
import type { RawDatabase } from '../support/raw-database.ts'
import { makeDataDir, openRawDatabaseOf, openTestApp, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'
import { createSwaps, runMixedLoad, untilDone } from './mixed-load.ts'
import { readAlerts, readDashboard } from './ops-files.ts'
import { hasPrometheus, openPrometheus, type Prometheus, PROMETHEUS_NOTE } from './prometheus-server.ts'

const MAX_IN_FLIGHT = 20
const QUICK = { states: [{ afterMs: 0, state: { status: 'SUCCESS' } }] } as const
const HOOKED = { ...QUICK, hooks: { copies: 1, untilDelivered: true } } as const
/** Series that appear only with trusted documents. */
const NOT_HERE = new Set(['Slowest trusted operations, p99'])

describe.skipIf(!hasPrometheus)(`the gateway beside Prometheus${PROMETHEUS_NOTE}`, () => {
  let app: TestApp
  let prometheus: Prometheus
  let database: RawDatabase
  let metricsUrl = ''

  /** Resolves to the labels of the alert once it fires. */
  const untilFiring = async (alert: string) =>
    until(async () => (await prometheus.firing()).find(({ alertname }) => alertname === alert))
  const isFiring = async (alert: string) => (await prometheus.firing()).some(({ alertname }) => alertname === alert)
  const scrape = async () => (await fetch(metricsUrl)).text()

  beforeAll(async () =>
    closeAfterGroup(async () => {
      const upstream = await openFakeUpstream()
      closeAfterTest(() => upstream.close())
      const dataDir = await makeDataDir()
      const adminPort = await findFreePort()
      const target = `127.0.0.1:${adminPort}`
      metricsUrl = `http://${target}/metrics`
      app = await openTestApp({
        upstream,
        dataDir,
        settings: {
          ADMIN_PORT: String(adminPort),
          DRAIN_READY_S: '8',
          ALLOWED_PRIVATE_HOSTS: `127.0.0.1:${upstream.port}`,
          FETCH_PER_SECOND: '1000',
          MAX_IN_FLIGHT: String(MAX_IN_FLIGHT),
          SUBMIT_BEFORE_S: '100000',
        },
      })
      database = await openRawDatabaseOf(dataDir)
      prometheus = await openPrometheus(target)
      await runMixedLoad(app)
      // Prometheus has scraped the whole load, and has evaluated the alerts after it.
      const ended = 'sum(swapface_job_duration_seconds_count) >= 8'
      await until(async () => (await prometheus.query(ended)).length > 0)
      await until(async () => (await prometheus.query(`count_over_time(up[5s]) >= 3`)).length > 0)
    }),
  )

  test('passes the check of metrics by promtool during a mixed load', async () => {
    const { status, stderr, stdout } = spawnSync('promtool', ['check', 'metrics'], {
      input: await scrape(),
      encoding: 'utf8',
    })
    expect(`${stdout}${stderr}`).toBe('')
    expect(status).toBe(0)
  })

  test('fires no alert during normal operation', async () => {
    expect(await prometheus.firing()).toEqual([])
  })

  test('SwapfaceWebhooksExhausted fires when a receiver responds with 410', async () => {
    app.upstream.scriptJobs(() => HOOKED)
    app.upstream.scriptWebhooks(() => 410)
    await createSwaps(app, 1, { hookUrl: `${app.upstream.url}/webhooks` })
    expect(await untilFiring('SwapfaceWebhooksExhausted')).toMatchObject({ severity: 'warning' })
    app.upstream.scriptWebhooks(() => 204)
  })

  test('SwapfaceHooksNotArriving fires when swaps end without hooks', async () => {
    app.upstream.scriptJobs(() => QUICK)
    for (let round = 0; round < 4; round += 1) {
      // oxlint-disable-next-line no-await-in-loop
      await untilDone(app, await createSwaps(app, MAX_IN_FLIGHT))
    }
    expect(await untilFiring('SwapfaceHooksNotArriving')).toMatchObject({ severity: 'warning' })
  })

  test('SwapfaceSubmitsRefused fires when the upstream responds with 401', async () => {
    app.upstream.scriptJobs(() => ({ submit: { kind: 'answer', status: 401, body: '{"status":"FAILED"}' } }))
    await untilDone(app, await createSwaps(app, 50))
    // The first refusals start the series; these increase it.
    await until(async () => (await prometheus.query('swapface_job_transitions_total{to="FAILED"}')).length > 0)
    // More than twice as many as all submits that were accepted before.
    for (let round = 0; round < 4; round += 1) {
      // oxlint-disable-next-line no-await-in-loop
      await untilDone(app, await createSwaps(app, 100))
    }
    expect(await untilFiring('SwapfaceSubmitsRefused')).toMatchObject({ severity: 'critical' })
  })

  test('SwapfaceUpstreamDown and SwapfaceOutcomesUnknown fire when submits get no response, and end afterwards', async () => {
    app.upstream.scriptJobs(() => ({ submit: { kind: 'acceptAndReset' } }))
    await createSwaps(app, 6)
    expect(await untilFiring('SwapfaceUpstreamDown')).toMatchObject({ severity: 'critical' })
    expect(await untilFiring('SwapfaceOutcomesUnknown')).toMatchObject({ severity: 'warning' })
    app.upstream.scriptJobs(() => HOOKED)
    for (const job of app.upstream.accepted.slice(-6)) {
      job.state = { status: 'SUCCESS' }
      // oxlint-disable-next-line no-await-in-loop
      await app.upstream.sendHook(job)
    }
    await createSwaps(app, 1)
    for (const alert of ['SwapfaceUpstreamDown', 'SwapfaceOutcomesUnknown']) {
      // oxlint-disable-next-line no-await-in-loop
      await until(async () => !(await isFiring(alert)))
    }
  })

  test('the alerts on waiting swaps fire when the swaps of one tenant fill the waiting room', async () => {
    app.upstream.scriptJobs(() => ({}))
    await createSwaps(app, MAX_IN_FLIGHT + 850)
    expect(await untilFiring('SwapfaceWaitingRoomNearlyFull')).toMatchObject({ severity: 'warning' })
    expect(await untilFiring('SwapfaceOneTenantFillsWaitingRoom')).toMatchObject({ severity: 'warning' })
    await database.exec(`update jobs set created_at = created_at - 3000000 where status = 'PENDING'`)
    expect(await untilFiring('SwapfaceJobTooOld')).toMatchObject({ severity: 'warning' })
  })

  test('SwapfaceStorageGrows fires when the database grows quickly', async () => {
    await database.exec('create table filler (bytes blob)', 'insert into filler values (zeroblob(100000000))')
    expect(await untilFiring('SwapfaceStorageGrows')).toMatchObject({ instance: new URL(metricsUrl).host })
  })

  test('SwapfaceEventLoopLag fires when the event loop is blocked', async () => {
    const block = () => {
      for (const from = performance.now(); performance.now() - from < 600;);
    }
    const isLate = until(async () => {
      block()
      return isFiring('SwapfaceEventLoopLag')
    })
    await expect(isLate).resolves.toBe(true)
  })

  test('SwapfaceBackgroundFailures fires when the database cannot be read', async () => {
    await database.exec('alter table jobs rename to jobs_away')
    expect(await untilFiring('SwapfaceBackgroundFailures')).toMatchObject({
      task: expect.stringMatching(/^\w+ [\w ]+$/),
    })
    await database.exec('alter table jobs_away rename to jobs')
  })

  // Some series begin with their first event, so these come after all others.
  test('has every metric and every label that the alerts and the dashboard use', async () => {
    const text = await scrape()
    const names = new Set([...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name = '']) => name))
    const labels = new Set([...text.matchAll(/[{,](\w+)="/g)].map(([, label = '']) => label))
    const expressions = [...readAlerts(), ...readDashboard().expressions].map(({ expr }) => expr)
    const used = expressions.flatMap((expr) => expr.match(/\b(?:swapface|nodejs|process)_\w+/g) ?? [])
    expect(used.length).toBeGreaterThan(60)
    const isKnown = (name: string) => names.has(name) || names.has(name.replace(/_(?:bucket|count|sum)$/, ''))
    expect(used.filter((name) => !isKnown(name))).toEqual([])
    const usedLabels = expressions.flatMap((expr) => [
      ...[...expr.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label = '']) => label),
      ...[...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(',').map((one) => one.trim())),
    ])
    const ofPrometheus = new Set(['instance', 'job'])
    expect(usedLabels.filter((label) => !labels.has(label) && !ofPrometheus.has(label))).toEqual([])
  })

  test('has a value for every panel of the dashboard', async () => {
    const findEmpty = async () => {
      const panels = readDashboard().expressions.filter(({ title }) => !NOT_HERE.has(title))
      const values = await Promise.all(
        panels.map(async ({ expr }) =>
          prometheus.query(expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*')),
        ),
      )
      return panels.filter((_panel, n) => values[n]?.length === 0).map(({ title }) => title)
    }
    // The figures of jobs return with the next read of the database.
    await until(async () => (await findEmpty()).length === 0, { timeoutMs: 10_000 }).catch(() => null)
    expect(await findEmpty()).toEqual([])
  })

  test('SwapfaceGatewayUnavailable fires while the gateway is not ready, and when it does not respond to scrapes', async () => {
    expect(await isFiring('SwapfaceGatewayUnavailable')).toBe(false)
    const closing = app.app.close()
    const isFiringWhileUp = until(async () => {
      await fetch(`${app.app.url}/readyz`)
      return (await isFiring('SwapfaceGatewayUnavailable')) && (await prometheus.query('up == 1')).length === 1
    })
    await expect(isFiringWhileUp).resolves.toBe(true)
    await closing
    await until(async () => (await prometheus.query('up == 0')).length === 1)
    expect(await untilFiring('SwapfaceGatewayUnavailable')).toMatchObject({ severity: 'critical' })
  })
})
