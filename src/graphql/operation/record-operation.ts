import type { Telemetry, Transport } from '../../telemetry/events.ts'

/** The operation that a request ran; `name` is null if it is anonymous. */
export interface OperationName {
  readonly type: 'query' | 'mutation' | 'subscription'
  readonly name: string | null
}

/**
 * Reports that the response to an operation was sent.
 * @param operation null if the request was refused before an operation ran.
 * @param startedAt when the request arrived, on the clock of `performance.now()`.
 */
export type RecordOperation = (
  transport: Transport,
  operation: OperationName | null,
  isOk: boolean,
  startedAt: number,
) => void

/** @param reportsNames whether the names are from a fixed set; otherwise a caller could report any number of names. */
export function createRecordOperation(
  { operationAnswered }: Pick<Telemetry, 'operationAnswered'>,
  reportsNames: boolean,
): RecordOperation {
  return (transport, operation, isOk, startedAt) => {
    operationAnswered({
      transport,
      type: operation?.type ?? 'none',
      name: (reportsNames ? operation?.name : null) ?? '',
      isOk,
      durationMs: performance.now() - startedAt,
    })
  }
}
