/**
 * A feed: a stream of states that is asked instead of queued. Whoever reads says when it is ready for more, and is
 * given the newest there is then; so a slow reader holds nothing back, and nothing piles up for it. A ring says that
 * asking may be worth while; it carries nothing, and may come twice.
 */
import { createAutoResetEvent } from '../lib/async/auto-reset-event.ts'

/** While nothing changes the state is repeated this often, so that a silent line can be told from a quiet job. */
export const REPEAT_AFTER_MS = 30_000

export interface Feed<Event extends object> {
  /**
   * The next event that this reader was not given; null while there is none: then wait for the ring. One read at a
   * time. An event that several readers are given at the same moment is the same object.
   */
  read(): Promise<Event | null>
  /** The next read gives an event though nothing has changed. */
  repeat(): void
  /** Whether the last event was given. */
  isOver(): boolean
  close(): void
}

/** What can be read as a feed, or iterated. Nothing is attached, and nothing need be closed, before one of the two. */
export interface FeedSource<Event extends object> extends AsyncIterable<Event> {
  /** Attached when this returns: what changes from then on is rung. `notify` must not throw. */
  open(notify: () => void): Feed<Event>
}

export function createFeedSource<Event extends object>(open: (notify: () => void) => Feed<Event>): FeedSource<Event> {
  return { open, [Symbol.asyncIterator]: () => iterate(open) }
}

/** A plain iterator: every event in order, and the end after the last one. `return()` ends a wait as well. */
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
