/** Every metric of the gateway itself: names, labels, help texts and buckets. docs/METRICS.md lists the same. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { PlainCounter, PlainHistogram, register } from './plain-metrics.ts'

/** Bucket limits in seconds: of a request here, of a call to another server, and of a swap. */
const REQUEST = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const CALL = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const JOB = [1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1_800, 3_600]
const DELIVERY = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3_600, 21_600, 86_400]

/** Appended to the help of figures that are read from the database. */
const SHARED = 'Processes that share a database all report the same figure.'

export type Instruments = ReturnType<typeof createInstruments>

/** Creates all metrics in `registry`. Series with a fixed set of labels start at 0, so a first increase is visible. */
export function createInstruments(registry: Registry) {
  return {
    ...createRequestMetrics(registry),
    ...createCounters(registry),
    ...createHistograms(registry),
    ...createGauges(registry),
  }
}

/** The metrics that change with each request. */
function createRequestMetrics(registry: Registry) {
  const add = <Metric extends PlainCounter | PlainHistogram>(metric: Metric) => {
    register(registry, metric)
    return metric
  }
  const counter = (name: string, help: string, labelNames: readonly string[] = []) =>
    add(new PlainCounter({ name: `swapface_${name}`, help, labelNames }))
  const operations = {
    name: 'swapface_graphql_request_duration_seconds',
    help: 'GraphQL operations, until the response was written; subscriptions, until their first event.',
    labelNames: ['transport', 'type', 'operation', 'outcome'],
  }
  return {
    operations: add(new PlainHistogram(operations, REQUEST)),
    requests: counter('http_requests_total', 'HTTP requests, counted when their response ends.', [
      'route',
      'status_class',
    ]),
    fastPathAnswers: counter('fast_path_answers_total', 'GraphQL requests that the fast path handled.', ['from']),
    fastPathFallbacks: counter(
      'fast_path_fallbacks_total',
      'GraphQL requests over HTTP that the fast path left to graphql-js.',
      ['reason'],
    ),
    cacheReads: counter('cache_requests_total', 'Entries looked up in a cache.', ['cache', 'result']),
    databaseQueries: counter('database_queries_total', 'Statements sent to the database.'),
  }
}

function createCounters(registry: Registry) {
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Counter({ name: `swapface_${name}`, help, labelNames, registers: [registry] })
  return {
    jobsCreated: counter('jobs_created_total', 'Swaps recorded.'),
    transitions: counter('job_transitions_total', 'Changes of a status.', ['to', 'source']),
    upstreamResponses: counter(
      'upstream_responses_total',
      'Calls to the upstream about a swap, by the status of the response; none: no response.',
      ['call', 'status_class'],
    ),
    hooks: counter('hooks_total', 'Hooks of the upstream, by outcome.', ['outcome']),
    quotaSpent: counter('quota_spent_units_total', 'Units that the upstream charged.'),
    images: counter('images_total', 'Uploads received and copies of results, one per attempt.', ['kind', 'outcome']),
    jobsParked: counter('jobs_parked_total', 'Swaps left to their deadline after repeated failures.'),
    backgroundFailures: counter('background_failures_total', 'Failures that no caller received.', ['task']),
    lateOutcomes: counter('late_outcomes_total', 'Reports that contradict the status of a finished swap.'),
  }
}

function createHistograms(registry: Registry) {
  const histogram = <Label extends string>(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames: readonly Label[] = [],
  ) => new Histogram({ name: `swapface_${name}`, help, buckets: [...buckets], labelNames, registers: [registry] })
  return {
    jobDuration: histogram('job_duration_seconds', 'Swaps, from their creation to their end.', JOB, ['status']),
    submits: histogram('submit_duration_seconds', 'Submits to the upstream.', CALL, ['outcome']),
    fetches: histogram('fetch_duration_seconds', 'Fetches from the upstream.', CALL, ['outcome']),
    confirmLag: histogram(
      'confirm_lag_seconds',
      'From the first sign that the upstream had finished a swap, a hook or a fetch, to its recorded end.',
      [...CALL, 60, 300],
      ['source'],
    ),
    webhookAttempts: histogram('webhook_attempt_duration_seconds', 'Attempts to deliver a webhook.', CALL, ['outcome']),
    webhookLag: histogram(
      'webhook_delivery_lag_seconds',
      'From the end of a swap to the delivery of its webhook; a replay counts again.',
      DELIVERY,
    ),
  }
}

function createGauges(registry: Registry) {
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge({ name: `swapface_${name}`, help, labelNames, registers: [registry] })
  return {
    jobs: gauge(
      'jobs',
      `All unfinished swaps, and the finished ones that were created in the last 24 hours. ${SHARED}`,
      ['status'],
    ),
    oldestUnfinished: gauge('oldest_unfinished_job_age_seconds', `Age of the oldest unfinished swap, or 0. ${SHARED}`),
    waiting: gauge('waiting_jobs', `Swaps that wait for a slot upstream. ${SHARED}`),
    waitingRoom: gauge('waiting_room_capacity', 'Swaps that may wait for a slot upstream.'),
    largestTenant: gauge(
      'waiting_jobs_largest_tenant_ratio',
      `Share of the waiting swaps that belong to the tenant with the most, 0 to 1. ${SHARED}`,
    ),
    breakerOpen: gauge('upstream_breaker_open', '1 if the circuit breaker regards the upstream as down, otherwise 0.'),
    subscriptions: gauge('subscriptions', 'Running subscriptions.', ['transport']),
    webSockets: gauge('websocket_connections', 'Open WebSocket connections.'),
    connections: gauge('connections', 'Open connections of the main listener, WebSockets included.'),
    storedBytes: gauge(
      'stored_bytes',
      'Size of the database, of the stored images as of the last hourly count, and of the hook journal.',
      ['store'],
    ),
    build: gauge('build_info', 'Always 1; the labels describe the program.', [
      'version',
      'node',
      'database',
      'upstream',
    ]),
  }
}
