import type { ServerResponse } from 'node:http'
import { ResponseWithDefaults } from '../lib/http/response-with-defaults.ts'
import { sendText } from '../lib/http/send-text.ts'

/** Responds with a JSON document. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  sendText(response, status, 'application/json; charset=utf-8', `${JSON.stringify(body)}\n`)
}

/** Responds with an error that says what to do. */
export function sendError(response: ServerResponse, status: number, code: string, message: string): void {
  if (response instanceof ResponseWithDefaults) response.errorCode = code
  sendJson(response, status, { error: { code, message } })
}

/** Responds with the same 404 for an unknown path and for a wrong token, so that callers cannot distinguish them. */
export function sendNotFound(response: ServerResponse): void {
  sendError(response, 404, 'NOT_FOUND', 'Nothing is served at this path. GraphQL is at /graphql.')
}

/** Responds with a page that may load only what `contentSecurityPolicy` allows. */
export function sendHtml(response: ServerResponse, html: string, contentSecurityPolicy: string): void {
  response.setHeader('content-security-policy', contentSecurityPolicy)
  sendText(response, 200, 'text/html; charset=utf-8', html)
}
