/** Lower limit of subscriptions over SSE: a bare `node:http` server that writes given bytes. */
import { listen } from '../../http/listen.mjs'
import { createPushServer, createWatchers } from './push-server.mjs'

const HEADERS = { 'content-type': 'text/event-stream; charset=utf-8' }

/** @type {ReturnType<typeof createWatchers<import('node:http').ServerResponse>>} */
const watchers = createWatchers()

const server = createPushServer(
  (job, bytes) => {
    for (const response of watchers.take(job)) response.end(bytes)
  },
  (_request, response, body) => {
    const { id } = JSON.parse(body).variables
    watchers.add(id, response)
    response.once('close', () => watchers.remove(id, response))
    response.writeHead(200, HEADERS).write('event: next\ndata: {}\n\n')
  },
)
listen(server)
