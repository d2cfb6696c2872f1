import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { expect, test } from 'vitest'
import { QuietExporter } from '../../src/telemetry/otel/quiet-exporter.ts'

test('only the first of consecutive failed exports is reported, and again the first one after a success', () => {
  const { FAILED, SUCCESS } = ExportResultCode
  const results: ExportResult[] = [FAILED, FAILED, SUCCESS, FAILED].map((code, n) => ({
    code,
    error: new Error(`${n}`),
  }))
  const failures: unknown[] = []
  const answers: ExportResult[] = []
  const inner = {
    export: (_spans: unknown, done: (result: ExportResult) => void) => done(results.shift() ?? { code: SUCCESS }),
    shutdown: async () => {},
  }
  const exporter = new QuietExporter(inner, (error) => failures.push(error))
  for (let n = 0; n < 4; n += 1) exporter.export([], (result) => answers.push(result))
  expect(failures).toEqual([new Error('0'), new Error('3')])
  expect(answers.map(({ code }) => code)).toEqual([SUCCESS, SUCCESS, SUCCESS, SUCCESS])
})
