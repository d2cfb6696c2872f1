/** Routes each path to its handler. */
import type { IncomingMessage } from 'node:http'
import { readPath } from '../lib/http/request-head.ts'
import { HOOK_PREFIX } from './hook.ts'
import { type RequestChecks, IMAGES_PREFIX } from './request-checks.ts'
import { REST_PREFIX, restMethodsOf } from './rest.ts'
import { sendError, sendJson, sendNotFound } from './respond.ts'
import { SCHEMA_PATH } from './schema-file.ts'
import type { ResponseWithDefaults } from '../lib/http/response-with-defaults.ts'
import type { HttpRoute } from '../telemetry/events.ts'

export interface Handlers {
  readonly checks: Pick<RequestChecks, 'admit'>
  readonly graphql: (request: IncomingMessage, response: ResponseWithDefaults) => Promise<void>
  readonly hook: (request: IncomingMessage, response: ResponseWithDefaults, token: string) => Promise<void>
  readonly upload: (request: IncomingMessage, response: ResponseWithDefaults, path: string) => Promise<void>
  readonly image: (request: IncomingMessage, response: ResponseWithDefaults, path: string) => Promise<void>
  /** Null if the REST API is not served. */
  readonly rest: ((request: IncomingMessage, response: ResponseWithDefaults, path: string) => Promise<void>) | null
  readonly page: (response: ResponseWithDefaults) => void
  /** Called with GET and HEAD only. */
  readonly schemaFile: (request: IncomingMessage, response: ResponseWithDefaults) => void
  /** Whether the gateway can take new traffic; rejects or resolves to false if it cannot. */
  readonly isReady: () => Promise<boolean>
  readonly onUnexpectedError: (error: unknown, requestId: string) => void
}

export type Route = (request: IncomingMessage, response: ResponseWithDefaults) => void

const UPLOADS_PREFIX = '/uploads/'

/** @returns a listener that responds to every request, and never rejects. */
export function createRouter(handlers: Handlers): Route {
  const isReady = async () => handlers.isReady().catch(() => false)

  /** The methods of a path, for the response to OPTIONS; the handlers enforce them. */
  const methodsOf = (path: string): readonly string[] => {
    if (path === '*') return ['GET', 'HEAD', 'POST', 'PUT']
    if (path === '/graphql') return ['GET', 'HEAD', 'POST']
    if (path.startsWith(HOOK_PREFIX)) return ['POST']
    if (path.startsWith(UPLOADS_PREFIX)) return ['PUT']
    if (handlers.rest && path.startsWith(REST_PREFIX)) return restMethodsOf(path)
    return path.startsWith(IMAGES_PREFIX) || READ_ONLY_PATHS.has(path) ? READ_METHODS : []
  }

  const route = async (request: IncomingMessage, response: ResponseWithDefaults) => {
    const path = readPath(request)
    if (request.method === 'OPTIONS') sendOptions(response, methodsOf(path))
    else if (path === '/graphql') await handlers.graphql(request, response)
    else if (path.startsWith(HOOK_PREFIX)) await handlers.hook(request, response, path.slice(HOOK_PREFIX.length))
    else if (path.startsWith(IMAGES_PREFIX)) await handlers.image(request, response, path)
    else if (path.startsWith(UPLOADS_PREFIX)) await handlers.upload(request, response, path)
    else if (handlers.rest && path.startsWith(REST_PREFIX)) await handlers.rest(request, response, path)
    else if (!READ_ONLY_PATHS.has(path)) sendNotFound(response)
    else if (!READ_METHODS.some((method) => method === request.method)) refuseMethod(response)
    else if (path === '/healthz') sendJson(response, 200, { status: 'alive' })
    else if (path === '/') handlers.page(response)
    else if (path === SCHEMA_PATH) handlers.schemaFile(request, response)
    else if (await isReady()) sendJson(response, 200, { status: 'ready' })
    else {
      response.setHeader('retry-after', '1')
      sendJson(response, 503, { status: 'not ready' })
    }
  }

  return (request, response) => {
    if (!handlers.checks.admit(request, response)) return
    route(request, response).catch((error: unknown) => {
      // A client that disconnects early is not an error of the gateway. `request.destroyed` does not show this, because it
      // is also true once the body has been read.
      if (response.destroyed) return
      handlers.onUnexpectedError(error, response.requestId)
      if (response.headersSent) response.destroy()
      else sendError(response, 500, 'INTERNAL_SERVER_ERROR', 'Unexpected error.')
    })
  }
}

/** The part of the gateway that a path belongs to, whether or not anything is served there. */
export function routeOf(path: string): HttpRoute {
  if (path === '/graphql') return 'graphql'
  if (path.startsWith(HOOK_PREFIX)) return 'hook'
  if (path.startsWith(IMAGES_PREFIX)) return 'image'
  if (path.startsWith(UPLOADS_PREFIX)) return 'upload'
  if (path.startsWith(REST_PREFIX)) return 'rest'
  if (path === '/') return 'page'
  if (path === SCHEMA_PATH) return 'schema'
  return path === '/healthz' || path === '/readyz' ? 'health' : 'other'
}

const READ_METHODS: readonly string[] = ['GET', 'HEAD']
const READ_ONLY_PATHS: ReadonlySet<string> = new Set(['/', SCHEMA_PATH, '/healthz', '/readyz'])

/** OPTIONS without the headers of a preflight (RFC 9110, 9.3.7); `*` stands for the server as a whole. */
function sendOptions(response: ResponseWithDefaults, methods: readonly string[]): void {
  if (methods.length === 0) sendNotFound(response)
  else response.writeHead(204, { allow: [...methods, 'OPTIONS'].join(', ') }).end()
}

function refuseMethod(response: ResponseWithDefaults): void {
  response.setHeader('allow', READ_METHODS.join(', '))
  sendError(response, 405, 'METHOD_NOT_ALLOWED', 'Use GET or HEAD for this path. GraphQL is at /graphql.')
}
