/**
 * Named points in the code where a test can kill the process or throw an error, to test recovery. In production no point
 * is armed, and each costs one comparison.
 */
export const FAULT_POINTS = [
  /** The job is recorded; its submit is not sent. */
  'intent-committed',
  /** The response to the submit has arrived; nothing is recorded. */
  'submit-answered',
  'submit-recorded',
  /** The hook is read; it is not in the journal. */
  'hook-read',
  /** The hook is on disk; its response is not sent. */
  'hook-journaled',
  /** The response to the hook is sent; nothing is confirmed. */
  'hook-answered',
  /** The response to a fetch has arrived; the report is not applied. */
  'fetch-answered',
  /** The change is committed; no wake-up is published. */
  'report-applied',
  /** A waiting job is claimed for its submit; the submit is not sent. */
  'resubmit-claimed',
  /** The bytes of an image are stored; no row refers to them. */
  'image-put',
  /** The response to a webhook has arrived; nothing is recorded. */
  'webhook-answered',
] as const
export type FaultPoint = (typeof FAULT_POINTS)[number]

interface Armed {
  readonly name: string
  readonly throws: boolean
  hitsLeft: number
}

let armed: Armed | null = null

/**
 * Arms one point: `name` kills the process there with SIGKILL, `name@3` the third time it is reached,
 * `name@3:throw` throws there instead.
 * @throws {TypeError} if the text has another form or names an unknown point.
 */
export function armFaultPoint(spec: string): void {
  const [, name = '', hits = '1', action] = /^([a-z-]+)(?:@([1-9]\d{0,8}))?(:throw)?$/.exec(spec) ?? []
  if (!FAULT_POINTS.some((point) => point === name)) {
    throw new TypeError(`must be one of ${FAULT_POINTS.join(', ')}, optionally followed by @n and :throw`)
  }
  armed = { name, hitsLeft: Number(hits), throws: action !== undefined }
}

/** Kills the process or throws if this point is armed and its count is reached; otherwise does nothing. */
export function faultPoint(name: FaultPoint): void {
  if (armed === null || armed.name !== name) return
  armed.hitsLeft -= 1
  if (armed.hitsLeft !== 0) return
  if (armed.throws) throw new Error(`fault point ${name}`)
  process.kill(process.pid, 'SIGKILL')
}
