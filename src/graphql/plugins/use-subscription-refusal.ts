/** Refuses a valid subscription whose client accepts no stream: 406, with what to send instead. */
import { GraphQLError } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import { EVENT_STREAM_TYPE } from '../http/accept.ts'

const MESSAGE = `A subscription is answered with a stream. Send accept: ${EVENT_STREAM_TYPE} (SSE), or use a WebSocket with the subprotocol graphql-transport-ws.`

export function useSubscriptionRefusal(): Plugin {
  return {
    // Streams do not subscribe through Yoga, so every subscription that arrives here wants a single response.
    onSubscribe: ({ setResultAndStopExecution }) => {
      const extensions = { code: 'NOT_ACCEPTABLE', http: { status: 406 } }
      setResultAndStopExecution({ errors: [new GraphQLError(MESSAGE, { extensions })] })
    },
  }
}
