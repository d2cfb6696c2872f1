/** Yoga's pub/sub, for the two peers without their own: Yoga and Apollo. */
import { setMaxListeners } from 'node:events'
import { createPubSub } from '@graphql-yoga/subscription'
import { takeHook, watchJob } from './watching.mjs'

// Thousands of listeners on one job are not a leak.
setMaxListeners(0)
const pubSub = createPubSub()

export const Subscription = {
  swapJobUpdated: {
    subscribe: (_root, { id }) => watchJob(id, pubSub.subscribe(id)[Symbol.asyncIterator]()),
  },
}

/** @param {{ jobId: string }} document the upstream's hook */
export async function publishHook(document) {
  await takeHook(document, ({ id }, event) => pubSub.publish(id, event))
}
