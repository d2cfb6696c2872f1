import type { Telemetry } from './events.ts'

const ignore = () => {}

/** Ignores every event: the base of a receiver that needs only some. */
export const silentTelemetry: Telemetry = {
  jobCreated: ignore,
  jobMoved: ignore,
  lateChargeKnown: ignore,
  evidenceTooLate: ignore,
  upstreamIdTaken: ignore,
  submitEnded: ignore,
  fetchEnded: ignore,
  hookRecorded: ignore,
  hookNotBound: ignore,
  hookRefused: ignore,
  originRefused: ignore,
  hookNotRecorded: ignore,
  jobNotRecorded: ignore,
  jobParked: ignore,
  webhookAttempted: ignore,
  uploadReceived: ignore,
  uploadFailed: ignore,
  resultCopied: ignore,
  mirrorFailed: ignore,
  keyAccepted: ignore,
  keyRefused: ignore,
  keyNotTested: ignore,
  publicUrlProbed: ignore,
  requestErred: ignore,
  requestFailed: ignore,
  backgroundFailed: ignore,
  requestAnswered: ignore,
  operationAnswered: ignore,
  fastPathAnswered: ignore,
  fastPathFellBack: ignore,
  cacheRead: ignore,
  shutdownStepBegan: ignore,
  databaseQueried: ignore,
}

export const TELEMETRY_EVENTS = Object.keys(silentTelemetry)

/** Passes each event to all receivers that do not ignore it, in their order. */
export function combineTelemetry(receivers: readonly Telemetry[]): Telemetry {
  const combined: Telemetry = { ...silentTelemetry }
  for (const name of TELEMETRY_EVENTS) {
    const listeners = receivers.map((receiver) => Reflect.get(receiver, name)).filter((listen) => listen !== ignore)
    const [only, ...others] = listeners
    if (only === undefined) continue
    const callAll = (...args: unknown[]) => {
      for (const listen of listeners) Reflect.apply(listen, undefined, args)
    }
    Reflect.set(combined, name, others.length === 0 ? only : callAll)
  }
  return combined
}
