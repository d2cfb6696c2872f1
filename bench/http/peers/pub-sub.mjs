/** Yoga's own publish and subscribe, for the two peers that bring none or this. */
import { setMaxListeners } from 'node:events'
import { createPubSub } from '@graphql-yoga/subscription'
import { takeHook, watchJob } from './watching.mjs'

// Thousands may watch one job, and that is no leak.
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
