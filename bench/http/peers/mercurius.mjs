/** Mercurius with its JIT, which compiles a query after its first execution, and with its own subscriptions. */
import Fastify from 'fastify'
import mercurius from 'mercurius'
import { createContext, resolvers, typeDefs } from './jobs.mjs'
import { takeHook, watchJob } from './watching.mjs'

const Subscription = {
  swapJobUpdated: {
    subscribe: async (_root, { id }, { pubsub }) => watchJob(id, (await pubsub.subscribe(id))[Symbol.asyncIterator]()),
  },
}

const fastify = Fastify()
await fastify.register(mercurius, {
  schema: typeDefs,
  resolvers: { ...resolvers, Subscription },
  context: () => createContext(),
  subscription: true,
  jit: 1,
})
fastify.post('/hooks', async ({ body }) => {
  void takeHook(body, ({ id }, payload) => fastify.graphql.pubsub.publish({ topic: id, payload }))
  return ''
})
process.stdout.write(`${await fastify.listen({ port: 0, host: '127.0.0.1' })}\n`)
