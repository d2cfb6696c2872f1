import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base'

/** Passes spans to an exporter, and reports the first of consecutive failures. The spans of a failed export are lost. */
export class QuietExporter implements SpanExporter {
  readonly #exporter: SpanExporter
  readonly #onFailure: (error: unknown) => void
  #isFailing = false

  constructor(exporter: SpanExporter, onFailure: (error: unknown) => void) {
    this.#exporter = exporter
    this.#onFailure = onFailure
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#exporter.export(spans, ({ code, error }) => {
      const isFailed = code === ExportResultCode.FAILED
      if (isFailed && !this.#isFailing) this.#onFailure(error)
      this.#isFailing = isFailed
      // The span processor would report a failure to the SDK's global error handler.
      done({ code: ExportResultCode.SUCCESS })
    })
  }

  async shutdown(): Promise<void> {
    await this.#exporter.shutdown()
  }
}
