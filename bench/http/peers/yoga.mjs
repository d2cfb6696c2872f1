/** GraphQL Yoga as it comes. */
import { createServer } from 'node:http'
import { createSchema, createYoga } from 'graphql-yoga'
import { listen } from '../listen.mjs'
import { createContext, resolvers, typeDefs } from './jobs.mjs'

const yoga = createYoga({ schema: createSchema({ typeDefs, resolvers }), context: createContext })
// As its pages show it.
// oxlint-disable-next-line typescript/no-misused-promises
listen(createServer(yoga))
