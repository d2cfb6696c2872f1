/** Mercurius with its JIT, which compiles what has been asked once. */
import Fastify from 'fastify'
import mercurius from 'mercurius'
import { createContext, resolvers, typeDefs } from './jobs.mjs'

const fastify = Fastify()
await fastify.register(mercurius, { schema: typeDefs, resolvers, context: () => createContext(), jit: 1 })
process.stdout.write(`${await fastify.listen({ port: 0, host: '127.0.0.1' })}\n`)
