/**
 * A feed: a stream of states that is read on demand, without a queue. A read returns the newest state, so a slow reader
 * delays no other reader and needs no buffer. A notification says only that another read may return an event; it
 * carries no state and may be duplicated.
 */
import { createAutoResetEvent } from '../lib/async/auto-reset-event.ts'

/** If nothing changes, the state is repeated this often, so that clients can detect a dead connection. */
export const REPEAT_AFTER_MS = 30_000

export interface Feed<Event extends object> {
  /**
   * Returns the next event that this reader has not received; null if there is none: then wait for a notification. One
   * read at a time. Readers that read at the same moment share one event object.
   */
  read(): Promise<Event | null>
  /** Makes the next read return an event even if nothing has changed. */
  repeat(): void
  /** Whether the last event was returned. */
  isOver(): boolean
  close(): void
}

/** A source that can be opened as a feed or iterated. Until then nothing is attached, and nothing needs closing. */
export interface FeedSource<Event extends object> extends AsyncIterable<Event> {
  /** Attaches to the wake-ups before it returns, so later changes call `notify`, which must not throw. */
  open(notify: () => void): Feed<Event>
}

export function createFeedSource<Event extends object>(open: (notify: () => void) => Feed<Event>): FeedSource<Event> {
  return { open, [Symbol.asyncIterator]: () => iterate(open) }
}

/** Iterates over a feed; ends after its last event. `return()` also ends a pending wait. */
function iterate<Event extends object>(open: (notify: () => void) => Feed<Event>): AsyncIterableIterator<Event> {
  const signal = createAutoResetEvent()
  const feed = open(signal.notify)
  let isClosed = false
  const end = (): IteratorResult<Event> => {
    isClosed = true
    feed.close()
    signal.close()
    return { done: true, value: undefined }
  }
  return {
    next: async () => {
      for (;;) {
        if (isClosed || feed.isOver()) return end()
        const event = await feed.read()
        if (event) return isClosed ? end() : { done: false, value: event }
        if (!feed.isOver() && !(await signal.wait(REPEAT_AFTER_MS))) feed.repeat()
      }
    },
    return: async () => end(),
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
