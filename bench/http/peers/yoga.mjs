/** GraphQL Yoga with its defaults, and graphql-ws as its documentation shows. */
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { useServer } from 'graphql-ws/use/ws'
import { createSchema, createYoga } from 'graphql-yoga'
import { WebSocketServer } from 'ws'
import { listen } from '../listen.mjs'
import { createContext, resolvers, typeDefs } from './jobs.mjs'
import { publishHook, Subscription } from './pub-sub.mjs'

const schema = createSchema({ typeDefs, resolvers: { ...resolvers, Subscription } })
const yoga = createYoga({ schema, context: createContext })
const takeBody = async (request, response) => {
  const body = await text(request)
  response.end()
  await publishHook(JSON.parse(body))
}
const server = createServer((request, response) => {
  void (request.url === '/hooks' ? takeBody(request, response) : yoga(request, response))
})

useServer(
  {
    execute: (args) => args.rootValue.execute(args),
    subscribe: (args) => args.rootValue.subscribe(args),
    onSubscribe: async ({ extra }, _id, params) => {
      const enveloped = yoga.getEnveloped({ req: extra.request, socket: extra.socket, params })
      const document = enveloped.parse(params.query)
      const errors = enveloped.validate(enveloped.schema, document)
      if (errors.length > 0) return errors
      return {
        schema: enveloped.schema,
        operationName: params.operationName,
        document,
        variableValues: params.variables,
        contextValue: await enveloped.contextFactory(),
        rootValue: { execute: enveloped.execute, subscribe: enveloped.subscribe },
      }
    },
  },
  new WebSocketServer({ server, path: yoga.graphqlEndpoint }),
)
listen(server)
