/** The alerts and the dashboard below `ops/`, as tests read them. */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

export interface Alert {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook_url: string }
}

interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly (Alert & { readonly for: string })[] }[]
}

function readRules(): RuleFile {
  return parse(readFileSync('ops/alerts.yml', 'utf8')) as RuleFile
}

export function readAlerts(): readonly Alert[] {
  return readRules().groups.flatMap(({ rules }) => rules)
}

/** Returns the rules without their `for`, as JSON, which is also YAML. */
export function toRulesWithoutFor(): string {
  const groups = readRules().groups.map(({ name, rules }) => ({
    name,
    rules: rules.map(({ alert, expr, labels, annotations }) => ({ alert, expr, labels, annotations })),
  }))
  return JSON.stringify({ groups })
}

interface Panel {
  readonly title: string
  readonly type: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[]
}

interface DashboardFile {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string }[] }
}

export interface Dashboard {
  readonly panels: readonly Panel[]
  readonly variables: readonly string[]
  readonly expressions: readonly { readonly title: string; readonly expr: string; readonly datasource: string }[]
}

export function readDashboard(): Dashboard {
  const { panels, templating } = JSON.parse(readFileSync('ops/grafana.json', 'utf8')) as DashboardFile
  return {
    panels,
    variables: templating.list.map(({ name }) => name),
    expressions: panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr, datasource }) => ({ title, expr, datasource: datasource.uid })),
    ),
  }
}
