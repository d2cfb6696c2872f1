import type { GraphqlServer } from '../graphql/graphql-server.ts'
import type { RequestChecks } from '../http/request-checks.ts'
import { sendError, sendJson } from '../http/respond.ts'
import type { Route } from '../http/router.ts'
import { refuseUpgrade } from '../lib/http/refuse-upgrade.ts'
import { readPath } from '../lib/http/request-head.ts'

type Upgrade = GraphqlServer['upgrade']

const NOT_READY = { code: 'UNAVAILABLE', message: 'The gateway is not ready. Try again in a moment.' }

const shutRoute: Route = (request, response) => {
  // A process that starts or drains is alive: a liveness probe must not restart it.
  if (readPath(request) === '/healthz') return sendJson(response, 200, { status: 'alive' })
  response.setHeader('retry-after', '1')
  sendError(response, 503, NOT_READY.code, NOT_READY.message)
}
const shutUpgrade: Upgrade = (_request, socket) => {
  refuseUpgrade(socket, 503, { error: NOT_READY }, { 'Retry-After': '1' })
  return 503
}

interface Front {
  readonly route: Route
  readonly refuseUpgrade: RequestChecks['refuseUpgrade']
  readonly upgrade: Upgrade
}

// `shutUpgrade` refuses WebSockets.
const SHUT: Front = { route: shutRoute, refuseUpgrade: () => null, upgrade: shutUpgrade }

export interface StartupHandlers extends Front {
  /** Passes requests to `opened` from now on. */
  open(opened: Front): void
  /** Responds with 503 again. */
  shut(): void
}

/** Responds with 503 while the gateway starts and stops; a closed port would not say why. */
export function createStartupHandlers(): StartupHandlers {
  let front = SHUT
  return {
    route: ((request, response) => front.route(request, response)) satisfies Front['route'],
    refuseUpgrade: ((request) => front.refuseUpgrade(request)) satisfies Front['refuseUpgrade'],
    upgrade: ((request, socket, head) => front.upgrade(request, socket, head)) satisfies Front['upgrade'],
    open: (opened: Front) => {
      front = opened
    },
    shut: () => {
      front = SHUT
    },
  }
}
