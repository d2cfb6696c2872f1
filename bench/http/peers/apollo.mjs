/** Apollo Server over Fastify, as the integration's page shows it. */
import { ApolloServer } from '@apollo/server'
import fastifyApollo, { fastifyApolloDrainPlugin } from '@as-integrations/fastify'
import Fastify from 'fastify'
import { createContext, resolvers, typeDefs } from './jobs.mjs'

const fastify = Fastify()
const apollo = new ApolloServer({ typeDefs, resolvers, plugins: [fastifyApolloDrainPlugin(fastify)] })
await apollo.start()
await fastify.register(fastifyApollo(apollo), { context: async () => createContext() })
process.stdout.write(`${await fastify.listen({ port: 0, host: '127.0.0.1' })}\n`)
