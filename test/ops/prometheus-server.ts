/**
 * A real Prometheus that scrapes one gateway each second and evaluates the alerts of `ops/`. Tests that need it are skipped
 * without it, and their titles say so; with `PROMETHEUS_TESTS=required` its absence is a failure.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findFreePort } from '../faults/gateway-process.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { makeDataDir } from '../support/test-app.ts'
import { until } from '../support/until.ts'
import { toRulesWithoutFor } from './ops-files.ts'

export const hasPrometheus = ['prometheus', 'promtool'].every((name) => spawnSync(name, ['--version']).status === 0)
export const PROMETHEUS_NOTE = hasPrometheus ? '' : ' [not run: there is no prometheus with promtool]'

if (!hasPrometheus && process.env['PROMETHEUS_TESTS'] === 'required')
  throw new Error('PROMETHEUS_TESTS=required, and there is no prometheus with promtool')

export interface Series {
  readonly metric: Readonly<Record<string, string>>
  /** A timestamp and the value as text. */
  readonly value: readonly [number, string]
}

export interface Prometheus {
  /** Evaluates an expression now. @throws if it is not valid. */
  query(expression: string): Promise<readonly Series[]>
  /** Returns the labels of the alerts that fire now. */
  firing(): Promise<readonly Readonly<Record<string, string>>[]>
}

/** Starts Prometheus; stopped after the test. @param target host and port of the metrics. */
export async function openPrometheus(target: string): Promise<Prometheus> {
  const folder = await makeDataDir()
  const port = await findFreePort()
  await writeFile(join(folder, 'alerts.yml'), toRulesWithoutFor())
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: ['alerts.yml'],
    scrape_configs: [{ job_name: 'swapface-gateway', static_configs: [{ targets: [target] }] }],
  }
  await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config))
  const options = {
    'config.file': join(folder, 'prometheus.yml'),
    'storage.tsdb.path': join(folder, 'data'),
    'web.listen-address': `127.0.0.1:${port}`,
  }
  const server = spawn(
    'prometheus',
    Object.entries(options).map(([name, value]) => `--${name}=${value}`),
    { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let output = ''
  server.stderr.on('data', (data: Buffer) => {
    output += data.toString()
  })
  closeAfterTest(async () => {
    const ended = once(server, 'exit')
    server.kill('SIGTERM')
    await ended
  })
  const url = `http://127.0.0.1:${port}`
  await until(async () => {
    if (server.exitCode !== null) throw new Error(`Prometheus does not start:\n${output}`)
    return fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  })
  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(`${url}/api/v1/${path}`)
    const body = (await response.json()) as { readonly data: unknown; readonly error?: string }
    if (!response.ok) throw new Error(`${path}: ${body.error}`)
    return body.data
  }
  return {
    query: async (expression) => {
      const { result } = (await get(`query?query=${encodeURIComponent(expression)}`)) as { readonly result: Series[] }
      return result
    },
    firing: async () => {
      const { alerts } = (await get('alerts')) as { readonly alerts: readonly FiringAlert[] }
      return alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels)
    },
  }
}

interface FiringAlert {
  readonly state: string
  readonly labels: Readonly<Record<string, string>>
}
