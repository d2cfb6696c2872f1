import { pino } from 'pino'
import { expect, test } from 'vitest'
import { createLogTelemetry } from '../../src/telemetry/logger.ts'
import { makeSwapJob } from '../support/jobs.ts'

test('log lines about a job have the id of its trace, and no such field if it has none', () => {
  const lines: Record<string, unknown>[] = []
  const logger = pino({ base: null }, { write: (line) => void lines.push(JSON.parse(line) as (typeof lines)[number]) })
  const telemetry = createLogTelemetry(logger)
  const traceContext = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 vendor=value'
  for (const job of [makeSwapJob(0, { traceContext }), makeSwapJob(0)]) {
    telemetry.jobMoved(job, { source: 'HOOK', at: 0, finding: { kind: 'unanswered' } })
    telemetry.hookNotBound(job)
  }
  expect(lines.map(({ job, traceId }) => [job, traceId])).toEqual([
    ['job_1', '4bf92f3577b34da6a3ce929d0e0e4736'],
    ['job_1', '4bf92f3577b34da6a3ce929d0e0e4736'],
    ['job_1', undefined],
    ['job_1', undefined],
  ])
})
