import type { GraphqlServer } from './graphql/server.ts'
import type { Gate } from './http/gate.ts'
import { sendError, sendJson } from './http/respond.ts'
import type { Route } from './http/router.ts'
import { readPath } from './lib/request-path.ts'

type Upgrade = GraphqlServer['upgrade']

const shutRoute: Route = (request, response) => {
  // A process that starts or drains is alive: whoever watches over it must not end it for that.
  if (readPath(request) === '/healthz') sendJson(response, 200, { status: 'alive' })
  else sendError(response, 503, 'UNAVAILABLE', 'Not ready. Try again in a moment.')
}
const shutUpgrade: Upgrade = (_request, socket) => {
  socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
}

interface Front {
  readonly route: Route
  readonly admits: Gate['admitsUpgrade']
  readonly upgrade: Upgrade
}

// Whoever comes for a WebSocket is refused by `shutUpgrade`.
const SHUT: Front = { route: shutRoute, admits: () => true, upgrade: shutUpgrade }

/** The front of the house while it is being opened and closed: 503 instead of a closed port. */
export function createDoors() {
  let front = SHUT
  return {
    route: ((request, response) => front.route(request, response)) satisfies Front['route'],
    admits: ((request) => front.admits(request)) satisfies Front['admits'],
    upgrade: ((request, socket, head) => front.upgrade(request, socket, head)) satisfies Front['upgrade'],
    open: (opened: Front) => {
      front = opened
    },
    shut: () => {
      front = SHUT
    },
  }
}
