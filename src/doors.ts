import type { RequestListener } from 'node:http'
import type { GraphqlServer } from './graphql/server.ts'
import type { Gate } from './http/gate.ts'
import { sendError, sendJson } from './http/respond.ts'
import { readPath } from './lib/request-path.ts'

type Upgrade = GraphqlServer['upgrade']

const shutRoute: RequestListener = (request, response) => {
  // A process that starts or drains is alive: whoever watches over it must not end it for that.
  if (readPath(request) === '/healthz') sendJson(response, 200, { status: 'alive' })
  else sendError(response, 503, 'UNAVAILABLE', 'Not ready. Try again in a moment.')
}
const shutUpgrade: Upgrade = (_request, socket) => {
  socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
}

// Whoever comes is refused by `shutUpgrade`.
const shutAdmits: Gate['admitsUpgrade'] = () => true

/** The front of the house while it is being opened and closed: 503 instead of a closed port. */
export function createDoors() {
  let route = shutRoute
  let admits = shutAdmits
  let upgrade = shutUpgrade
  return {
    route: ((request, response) => route(request, response)) satisfies RequestListener,
    admits: ((request) => admits(request)) satisfies Gate['admitsUpgrade'],
    upgrade: ((request, socket, head) => upgrade(request, socket, head)) satisfies Upgrade,
    open: (openRoute: RequestListener, openAdmits: Gate['admitsUpgrade'], openUpgrade: Upgrade) => {
      route = openRoute
      admits = openAdmits
      upgrade = openUpgrade
    },
    shut: () => {
      route = shutRoute
      upgrade = shutUpgrade
    },
  }
}
