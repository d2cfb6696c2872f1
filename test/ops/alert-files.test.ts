/** Checks the files below `ops/` without Prometheus: they are complete, and each alert has its runbook. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readAlerts, readDashboard } from './ops-files.ts'

const alerts = readAlerts()
const tests = readFileSync('ops/alerts.test.yml', 'utf8')
const operations = readFileSync('docs/OPERATIONS.md', 'utf8')

test('ops/alerts.yml has at most a dozen alerts, each with its own name', () => {
  expect(alerts.length).toBeLessThanOrEqual(12)
  expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length)
})

test.each(alerts)('the alert $alert has a severity, texts, tests and a runbook', ({ alert, labels, annotations }) => {
  expect(['warning', 'critical']).toContain(labels.severity)
  expect(annotations.summary).toBeTruthy()
  expect(annotations.description).toBeTruthy()
  expect(annotations.runbook_url).toBe(`docs/OPERATIONS.md#${alert.toLowerCase()}`)
  const [, runbook = ''] = operations.split(`\n### ${alert}\n`)
  expect(runbook).toMatch(new RegExp(`^\\n\\*${labels.severity}\\.\\*`, 'i'))
  // One evaluation in which it fires, and one in which it does not.
  const evaluations = tests.split(`alertname: ${alert}\n`).slice(1)
  const silent = evaluations.filter((text) => /^\s+exp_alerts: \[\]/.test(text))
  expect([silent.length > 0, silent.length < evaluations.length]).toEqual([true, true])
})

test('the dashboard has a variable for the data source and one for the instance, which every query uses', () => {
  const { variables, expressions } = readDashboard()
  expect(variables).toEqual(['datasource', 'instance'])
  expect(expressions.length).toBeGreaterThan(40)
  for (const { datasource, expr } of expressions) {
    expect(datasource).toBe('${datasource}')
    // One selector of the instance for each metric.
    expect(expr.match(/instance=~"\$instance"/g)?.length, expr).toBe(expr.match(/\{/g)?.length)
  }
})

test('the panels of the dashboard do not overlap, and have different titles', () => {
  const { panels } = readDashboard()
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_unused, n) => `${x + (n % w)},${y + Math.floor(n / w)}`),
  )
  expect(new Set(cells).size).toBe(cells.length)
  expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length)
})
