/**
 * Sends finished jobs to their hooks: the document that fetch answers, as one
 * POST. Delivered means answered with exactly 200; whatever else happens, a
 * job is notified three times at most: at once, then 1 s and 2 s after the
 * notification before it failed. What is owed is in the job table, so it
 * outlives the process, and the count does too.
 */
import { request, type Dispatcher } from 'undici'

import type { AddressGuard } from '../../../src/lib/net/address-guard.ts'
import type { Clock } from '../../../src/lib/time/clock.ts'
import type { JobDocument } from './job-document.ts'
import type { Job, JobTable } from './job-table.ts'
import type { Log } from './log.ts'

const DELAYS_BEFORE_NEXT_MS = [1000, 2000]
/** Slow hooks must not hold up the others for long. */
const MAX_AT_A_TIME = 16
const AFTER_FAULT_MS = 5000

export interface HookSenderOptions {
  readonly table: JobTable
  readonly toDocument: (job: Job) => JobDocument
  readonly guard: AddressGuard
  /** Its connections pass the same guard. */
  readonly dispatcher: Dispatcher
  /** For the whole of one notification. */
  readonly timeoutMs: number
  readonly clock: Clock
  readonly log: Log
}

export interface HookSender {
  /** Looks for hooks that are due. Called after a job has finished; before the first call nothing is sent. */
  wake(): void
  /** Ends notifications under way; they count as sent. */
  close(): Promise<void>
}

export function openHookSender(options: HookSenderOptions): HookSender {
  const { table, toDocument, guard, dispatcher, timeoutMs, clock, log } = options
  /** What is under way, each with its own signal: one for all would gather listeners for as long as this is open. */
  const sending = new Map<AbortController, Promise<void>>()
  let isClosing = false
  let timer: NodeJS.Timeout | undefined

  function wake(): void {
    if (isClosing) return
    clearTimeout(timer)
    try {
      const next = sendDue(clock.now())
      if (next !== null) timer = setTimeout(wake, next - clock.now()).unref()
    } catch (error) {
      log({ event: 'fault', during: 'hooks', error })
      timer = setTimeout(wake, AFTER_FAULT_MS).unref()
    }
  }

  /** Begins what is due, and says when to look again. */
  function sendDue(now: number): number | null {
    const due = table.listHooksDue(now, MAX_AT_A_TIME - sending.size)
    for (const job of due) {
      // Counted first: a crash from here on may lose this notification, but never makes a fourth. Due again only after
      // it must have ended, so that no job is here twice.
      const delayMs = DELAYS_BEFORE_NEXT_MS[job.hookAttempts]
      table.countHookAttempt(job.n, delayMs === undefined ? null : now + timeoutMs + delayMs)
      const abort = new AbortController()
      sending.set(abort, send(job, abort))
    }
    return table.findNextHookDue(now)
  }

  async function send(job: Job, abort: AbortController): Promise<void> {
    const isDelivered = await notify(job, abort.signal).catch(() => false)
    sending.delete(abort)
    if (isClosing) return
    const delayMs = DELAYS_BEFORE_NEXT_MS[job.hookAttempts]
    try {
      if (isDelivered || delayMs === undefined) table.endHook(job.n)
      else table.moveHook(job.n, clock.now() + delayMs)
    } catch (error) {
      log({ event: 'fault', during: 'hooks', error })
    }
    log({ event: 'hook-sent', jobId: job.jobId, attempt: job.hookAttempts + 1, isDelivered })
    wake()
  }

  /** True when the receiver answered 200. */
  async function notify(job: Job, signal: AbortSignal): Promise<boolean> {
    const url = new URL(job.hookUrl ?? '')
    guard.checkUrl(url)
    const { statusCode, body } = await request(url, {
      dispatcher,
      method: 'POST',
      headers: { 'content-type': 'application/json', 'accept-encoding': 'identity' },
      body: JSON.stringify(toDocument(job)),
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
    // What a receiver says beyond its status is not read.
    body.on('error', () => undefined).destroy()
    return statusCode === 200
  }

  return {
    wake,
    close: async () => {
      isClosing = true
      for (const abort of sending.keys()) abort.abort()
      clearTimeout(timer)
      await Promise.all(sending.values())
    },
  }
}
