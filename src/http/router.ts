/** The addresses of the gateway: which door answers what. */
import type { IncomingMessage } from 'node:http'
import { readPath } from '../lib/request-path.ts'
import { type Gate, IMAGES_PREFIX } from './gate.ts'
import { REST_PREFIX } from './rest.ts'
import { sendError, sendJson, sendNotFound } from './respond.ts'
import { SCHEMA_PATH } from './schema-file.ts'
import type { StandingResponse } from '../lib/standing-response.ts'

export interface Doors {
  readonly gate: Pick<Gate, 'admit'>
  readonly graphql: (request: IncomingMessage, response: StandingResponse) => Promise<void>
  readonly hook: (request: IncomingMessage, response: StandingResponse, token: string) => Promise<void>
  readonly upload: (request: IncomingMessage, response: StandingResponse, path: string) => Promise<void>
  readonly image: (request: IncomingMessage, response: StandingResponse, path: string) => Promise<void>
  /** Null where it is not served. */
  readonly rest: ((request: IncomingMessage, response: StandingResponse, path: string) => Promise<void>) | null
  readonly page: (response: StandingResponse) => void
  readonly schemaFile: (request: IncomingMessage, response: StandingResponse) => void
  /** Whether new traffic should come here; rejects or resolves to false when it should not. */
  readonly isReady: () => Promise<boolean>
  readonly onUnexpectedError: (error: unknown) => void
}

export type Route = (request: IncomingMessage, response: StandingResponse) => void

const HOOK_PREFIX = '/hooks/swapface/'

/** @returns a listener that answers every request, and never rejects. */
export function createRouter(doors: Doors): Route {
  const route = async (request: IncomingMessage, response: StandingResponse) => {
    const path = readPath(request)
    if (path === '/graphql') await doors.graphql(request, response)
    else if (path.startsWith(HOOK_PREFIX)) await doors.hook(request, response, path.slice(HOOK_PREFIX.length))
    else if (path.startsWith(IMAGES_PREFIX)) await doors.image(request, response, path)
    else if (path.startsWith('/uploads/')) await doors.upload(request, response, path)
    else if (doors.rest && path.startsWith(REST_PREFIX)) await doors.rest(request, response, path)
    else if (path === SCHEMA_PATH) doors.schemaFile(request, response)
    else if (path === '/healthz') sendJson(response, 200, { status: 'alive' })
    else if (path === '/readyz') {
      const ready = await doors.isReady().catch(() => false)
      sendJson(response, ready ? 200 : 503, { status: ready ? 'ready' : 'not ready' })
    } else if (path === '/' && (request.method === 'GET' || request.method === 'HEAD')) doors.page(response)
    else sendNotFound(response)
  }

  return (request, response) => {
    if (!doors.gate.admit(request, response)) return
    route(request, response).catch((error: unknown) => {
      // A client that went away in the middle is not a fault of ours.
      if (request.destroyed || response.destroyed) return
      doors.onUnexpectedError(error)
      if (response.headersSent) response.destroy()
      else sendError(response, 500, 'INTERNAL_SERVER_ERROR', 'Unexpected error.')
    })
  }
}
