/**
 * Running subscriptions. Each subscriber has one loop and no queue: it reads an event from its feed when its connection
 * can take one, so a slow subscriber gets the newest state, late, and costs no memory. Subscribers of one operation
 * with the same viewer share each event: it is executed once and serialised once.
 */
import { createSourceEventStream, type DocumentNode, execute, type ExecutionResult, type GraphQLError } from 'graphql'
import { toViewerKey } from '../../auth/viewer.ts'
import type { Feed, FeedSource } from '../../jobs/feed.ts'
import type { TimerWheel, WheelTimer } from '../../lib/time/timer-wheel.ts'
import type { Transport } from '../../telemetry/events.ts'
import { formatResult, type MaskError, traceErrors } from '../operation/errors.ts'
import type { Operation, Unrunnable } from '../operation/prepare-operation.ts'

/** Receives the events of one subscription. */
export interface Sink {
  readonly transport: Transport
  /** Whether the connection can take another event now. If it cannot, its owner must call `resume` once it can. */
  isReady(): boolean
  /** @param payload the execution result, JSON in UTF-8. Subscribers share the buffer, so it must not be written to. */
  next(payload: Buffer): void
  /** Sends the last event, null if there is none, and completes the subscription. */
  last(payload: Buffer | null): void
}

export interface LiveOperation {
  resume(): void
  /** Ends the subscription; the sink is not called again. */
  close(): void
}

export interface LiveOperationsParts {
  /** Timers that repeat an unchanged state. */
  readonly repeats: Pick<TimerWheel, 'add'>
  readonly maskError: MaskError
  readonly onUnexpectedError: (error: unknown, requestId: string | null) => void
}

/** Delay before a failed read of a feed is retried. */
const READ_AGAIN_MS = 1_000

/** Subscribers of the same operation, and how it is executed. */
interface Group {
  members: number
  readonly args: Operation['args']
  readonly newContext: Operation['newContext']
}

export class LiveOperations {
  readonly #parts: LiveOperationsParts
  readonly #groups = new WeakMap<DocumentNode, Map<string, Group>>()
  /** The payloads of each event that a subscriber still holds, by group. */
  readonly #payloads = new WeakMap<object, Map<Group, Promise<Buffer>>>()
  readonly #running: Record<Transport, number> = { http: 0, sse: 0, websocket: 0 }

  constructor(parts: LiveOperationsParts) {
    this.#parts = parts
  }

  /** Attaches the subscription, then sends the current state. Calls `onFirst` once, after the first event is sent. */
  async start(operation: Operation, sink: Sink, onFirst: () => void): Promise<LiveOperation | Unrunnable> {
    const { maskError } = this.#parts
    const { requestId } = operation.caller
    try {
      const source = await createSourceEventStream({ ...operation.args, contextValue: operation.newContext() })
      if (isFeedSource(source)) return this.#subscribe(operation, source, sink, onFirst)
      if ('errors' in source && source.errors)
        return refuse(
          operation,
          source.errors.map((error) => maskError(error, requestId)),
        )
      throw new TypeError('a subscription field must return a feed')
    } catch (error) {
      return refuse(operation, [maskError(error, requestId)])
    }
  }

  /** The number of running subscriptions. */
  count(transport: Transport): number {
    return this.#running[transport]
  }

  #subscribe(operation: Operation, source: FeedSource<object>, sink: Sink, onFirst: () => void): LiveOperation {
    const { repeats, onUnexpectedError } = this.#parts
    const { group, leave } = this.#joinGroup(operation)
    const render = (event: object) => this.#payloadOf(group, event)
    this.#running[sink.transport] += 1
    const onClosed = () => {
      this.#running[sink.transport] -= 1
      leave()
    }
    return new Subscriber({ repeats, onUnexpectedError, source, sink, render, onFirst, onClosed })
  }

  #joinGroup({ args, caller, newContext }: Operation) {
    const ofDocument = this.#groups.get(args.document) ?? new Map<string, Group>()
    this.#groups.set(args.document, ofDocument)
    const key = JSON.stringify([toViewerKey(caller.viewer), args.operationName, args.variableValues])
    const group = ofDocument.get(key) ?? { members: 0, args, newContext }
    ofDocument.set(key, group)
    group.members += 1
    return {
      group,
      leave: () => {
        group.members -= 1
        if (group.members === 0) ofDocument.delete(key)
      },
    }
  }

  #payloadOf(group: Group, event: object): Promise<Buffer> {
    const ofEvent = this.#payloads.get(event) ?? new Map<Group, Promise<Buffer>>()
    this.#payloads.set(event, ofEvent)
    const payload = ofEvent.get(group) ?? this.#executeFor(group, event)
    ofEvent.set(group, payload)
    return payload
  }

  async #executeFor({ args, newContext }: Group, event: object): Promise<Buffer> {
    const mask = (error: unknown) => this.#parts.maskError(error, null)
    try {
      const result = await execute({ ...args, rootValue: event, contextValue: newContext() })
      return toPayload(result.errors ? { ...result, errors: result.errors.map(mask) } : result)
    } catch (error) {
      return toPayload({ errors: [mask(error)] })
    }
  }
}

interface SubscriberParts extends Pick<LiveOperationsParts, 'repeats' | 'onUnexpectedError'> {
  readonly source: FeedSource<object>
  readonly sink: Sink
  /** The payload of an event. Never rejects. */
  readonly render: (event: object) => Promise<Buffer>
  readonly onFirst: () => void
  /** Called once. */
  readonly onClosed: () => void
}

/** One subscriber: reads its feed whenever something may have changed and the connection can take an event. */
class Subscriber implements LiveOperation {
  readonly #parts: Omit<SubscriberParts, 'onFirst'>
  readonly #feed: Feed<object>
  readonly #repeat: WheelTimer
  /** Whether another read may return an event. */
  #isNotified = true
  #isPumping = false
  #isClosed = false
  /** Released after its call: a subscription may last for hours. */
  #onFirst: (() => void) | null
  #retry: NodeJS.Timeout | undefined

  constructor({ onFirst, ...parts }: SubscriberParts) {
    this.#onFirst = onFirst
    this.#parts = parts
    this.#feed = parts.source.open(() => this.#notify())
    this.#repeat = parts.repeats.add(() => {
      this.#feed.repeat()
      this.#notify()
    })
    this.resume()
  }

  resume(): void {
    // `#pump` never rejects.
    void this.#pump()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#retry)
    this.#repeat.stop()
    this.#feed.close()
    this.#parts.onClosed()
  }

  #notify(): void {
    this.#isNotified = true
    this.resume()
  }

  async #pump(): Promise<void> {
    if (this.#isPumping) return
    this.#isPumping = true
    const { sink, render, onUnexpectedError } = this.#parts
    try {
      while (this.#isNotified && !this.#isClosed && sink.isReady()) {
        this.#isNotified = false
        const event = await this.#feed.read()
        const payload = event && (await render(event))
        if (this.#isClosed) return
        if (this.#feed.isOver()) {
          this.close()
          sink.last(payload)
        } else if (payload) {
          this.#repeat.reset()
          sink.next(payload)
        }
        if (payload) {
          this.#onFirst?.()
          this.#onFirst = null
        }
      }
    } catch (error) {
      // Nothing is lost: the retry reads the current state from the store.
      onUnexpectedError(error, null)
      if (!this.#isClosed) this.#retry = setTimeout(() => this.#notify(), READ_AGAIN_MS)
    } finally {
      this.#isPumping = false
    }
  }
}

function refuse({ span }: Operation, errors: readonly GraphQLError[]): Unrunnable {
  traceErrors(span, { errors })
  return { errors }
}

function toPayload(result: ExecutionResult): Buffer {
  return Buffer.from(JSON.stringify(formatResult(result)))
}

function isFeedSource(source: object): source is FeedSource<object> {
  return 'open' in source && typeof source.open === 'function'
}
