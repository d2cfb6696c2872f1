/**
 * Running subscriptions. One loop for each subscriber, and nothing queued: an event is read from its feed when the
 * subscriber's line can take it, so a slow one is given the newest state, late, and costs no memory. All who ask the
 * same, as the same viewer, share each event: it is executed once and serialised once.
 */
import { createSourceEventStream, type DocumentNode, execute, type GraphQLError } from 'graphql'
import { toViewerKey } from '../../auth/viewer.ts'
import type { Feed, FeedSource } from '../../jobs/feed.ts'
import type { TimerWheel } from '../../lib/time/timer-wheel.ts'
import { withoutHttp } from '../operation/errors.ts'
import type { Operation, Unrunnable } from '../operation/prepare-operation.ts'

/** Where the events of one subscription go. */
export interface Sink {
  /** Whether the line can take another event now. When it cannot, `resume` is to be called once it can. */
  isReady(): boolean
  /** @param payload the execution result, JSON in UTF-8; the same buffer for all who share it, not to be written to. */
  next(payload: Buffer): void
  /** The last event, in one go with the end; null where there is none to give any more. */
  last(payload: Buffer | null): void
}

export interface LiveOperation {
  resume(): void
  /** Ends it; nothing is given to the sink any more. */
  close(): void
}

export interface LiveOperations {
  /** Attaches the subscription, then gives the state now. */
  start(operation: Operation, sink: Sink): Promise<LiveOperation | Unrunnable>
}

export interface LiveOperationsParts {
  /** Turns of the interval after which a state that has not changed is repeated. */
  readonly repeats: Pick<TimerWheel, 'add'>
  readonly maskError: (error: unknown) => GraphQLError
  readonly onUnexpectedError: (error: unknown) => void
}

/** How long a feed that could not be read is left alone. */
const READ_AGAIN_MS = 1_000

/** What those share who run the same operation: how it is run. */
interface Group {
  members: number
  readonly args: Operation['args']
  readonly newContext: Operation['newContext']
}

export function createLiveOperations(parts: LiveOperationsParts): LiveOperations {
  const { repeats, onUnexpectedError } = parts
  const maskError = (error: unknown) => withoutHttp(parts.maskError(error))
  const groups = new WeakMap<DocumentNode, Map<string, Group>>()
  /** Of each event that somebody still holds, what it became for each group. */
  const payloads = new WeakMap<object, Map<Group, Promise<Buffer>>>()

  const joinGroup = ({ args, caller, newContext }: Operation) => {
    const ofDocument = groups.get(args.document) ?? new Map<string, Group>()
    groups.set(args.document, ofDocument)
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

  const renderEvent = async ({ args, newContext }: Group, event: object): Promise<Buffer> => {
    try {
      const result = await execute({ ...args, rootValue: event, contextValue: newContext() })
      return toPayload(result.errors ? { ...result, errors: result.errors.map(maskError) } : result)
    } catch (error) {
      return toPayload({ errors: [maskError(error)] })
    }
  }

  const payloadOf = (group: Group, event: object): Promise<Buffer> => {
    const ofEvent = payloads.get(event) ?? new Map<Group, Promise<Buffer>>()
    payloads.set(event, ofEvent)
    const payload = ofEvent.get(group) ?? renderEvent(group, event)
    ofEvent.set(group, payload)
    return payload
  }

  const run = (operation: Operation, source: FeedSource<object>, sink: Sink): LiveOperation => {
    const { group, leave } = joinGroup(operation)
    let isRung = true
    let isPumping = false
    let isClosed = false
    let again: NodeJS.Timeout | undefined

    const close = () => {
      if (isClosed) return
      isClosed = true
      clearTimeout(again)
      turn.stop()
      feed.close()
      leave()
    }

    const isWanted = () => isRung && !isClosed && sink.isReady()

    const pump = async () => {
      if (isPumping) return
      isPumping = true
      try {
        while (isWanted()) {
          isRung = false
          const event = await feed.read()
          const payload = event && (await payloadOf(group, event))
          if (isClosed) return
          if (feed.isOver()) {
            close()
            sink.last(payload)
          } else if (payload) {
            turn.reset()
            sink.next(payload)
          }
        }
      } catch (error) {
        // What is stored is not lost for that: it is read when the store is back.
        onUnexpectedError(error)
        if (!isClosed) again = setTimeout(notify, READ_AGAIN_MS)
      } finally {
        isPumping = false
      }
    }

    const resume = () => {
      // `pump` never rejects.
      void pump()
    }
    const notify = () => {
      isRung = true
      resume()
    }
    const feed: Feed<object> = source.open(notify)
    const turn = repeats.add(() => {
      feed.repeat()
      notify()
    })
    resume()
    return { resume, close }
  }

  return {
    start: async (operation, sink) => {
      try {
        const source = await createSourceEventStream({ ...operation.args, contextValue: operation.newContext() })
        if (isFeedSource(source)) return run(operation, source, sink)
        if ('errors' in source && source.errors) return { errors: source.errors.map(maskError) }
        throw new TypeError('a subscription field gives a feed')
      } catch (error) {
        return { errors: [maskError(error)] }
      }
    },
  }
}

function toPayload(result: object): Buffer {
  return Buffer.from(JSON.stringify(result))
}

function isFeedSource(source: object): source is FeedSource<object> {
  return 'open' in source && typeof source.open === 'function'
}
