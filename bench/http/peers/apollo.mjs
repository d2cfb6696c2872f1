/** Apollo Server on Fastify with graphql-ws, set up as the documentation of each shows. */
import { ApolloServer } from '@apollo/server'
import fastifyApollo, { fastifyApolloDrainPlugin } from '@as-integrations/fastify'
import Fastify from 'fastify'
import { useServer } from 'graphql-ws/use/ws'
import { WebSocketServer } from 'ws'
import { createContext, resolvers, typeDefs } from './jobs.mjs'
import { publishHook, Subscription } from './pub-sub.mjs'

const fastify = Fastify()
/** @type {import('@apollo/server').ApolloServerPlugin} */
const sockets = {
  serverWillStart: async ({ schema }) => {
    const server = new WebSocketServer({ server: fastify.server, path: '/graphql' })
    useServer({ schema, context: createContext }, server)
  },
}
const plugins = [fastifyApolloDrainPlugin(fastify), sockets]
const apollo = new ApolloServer({ typeDefs, resolvers: { ...resolvers, Subscription }, plugins })
await apollo.start()
await fastify.register(fastifyApollo(apollo), { context: async () => createContext() })
fastify.post('/hooks', async ({ body }) => {
  void publishHook(body)
  return ''
})
process.stdout.write(`${await fastify.listen({ port: 0, host: '127.0.0.1' })}\n`)
