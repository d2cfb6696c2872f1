/**
 * Delivers finished jobs to their hooks: POSTs the document that fetch returns. Only a 200 counts as delivered. A job
 * gets at most three attempts: at once, then 1 s and 2 s after the previous attempt failed. Pending hooks and attempt
 * counts are in the job table and survive a restart.
 */
import { request, type Dispatcher } from 'undici'

import type { AddressGuard } from '../../../src/lib/net/address-guard.ts'
import type { Clock } from '../../../src/lib/time/clock.ts'
import type { JobDocument } from './job-document.ts'
import type { Job, JobTable } from './job-table.ts'
import type { Log } from './log.ts'

const DELAYS_BEFORE_NEXT_MS = [1000, 2000]
/** Concurrent deliveries, so that slow hooks do not delay the rest for long. */
const MAX_AT_A_TIME = 16
const AFTER_FAULT_MS = 5000

export interface HookSenderOptions {
  readonly table: JobTable
  readonly toDocument: (job: Job) => JobDocument
  readonly guard: AddressGuard
  /** Must connect through the same guard. */
  readonly dispatcher: Dispatcher
  /** Total time of one attempt. */
  readonly timeoutMs: number
  readonly clock: Clock
  readonly log: Log
}

export interface HookSender {
  /** Sends the hooks that are due. Call it after a job finishes; nothing is sent before the first call. */
  wake(): void
  /** Aborts attempts in progress; they still count. */
  close(): Promise<void>
}

export function openHookSender(options: HookSenderOptions): HookSender {
  const { table, toDocument, guard, dispatcher, timeoutMs, clock, log } = options
  /** Attempts in progress, each with its own signal: a shared one would accumulate listeners. */
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

  /** Starts the attempts that are due. @returns when the next one is due; null if none is. */
  function sendDue(now: number): number | null {
    const due = table.listHooksDue(now, MAX_AT_A_TIME - sending.size)
    for (const job of due) {
      // Counted first: a crash from here on may lose this attempt, but never causes a fourth. Due again only after its
      // timeout, so that no job has two attempts at once.
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

  /** Resolves to whether the receiver returned 200. */
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
    // Only the status counts.
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
