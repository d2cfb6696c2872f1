import type { ServerResponse } from 'node:http'
import { sendText } from '../lib/http/send-text.ts'

/** Answers with a JSON document. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  sendText(response, status, 'application/json; charset=utf-8', `${JSON.stringify(body)}\n`)
}

/** Answers with an error that says what to do. */
export function sendError(response: ServerResponse, status: number, code: string, message: string): void {
  sendJson(response, status, { error: { code, message } })
}

/** Answers with the same 404 for an unknown path and for a wrong token, so that callers cannot tell them apart. */
export function sendNotFound(response: ServerResponse): void {
  sendError(response, 404, 'NOT_FOUND', 'Nothing is served at this path. GraphQL is at /graphql.')
}

/** Answers with a page that may load nothing but what `contentSecurityPolicy` names. */
export function sendHtml(response: ServerResponse, html: string, contentSecurityPolicy: string): void {
  response.setHeader('content-security-policy', contentSecurityPolicy)
  sendText(response, 200, 'text/html; charset=utf-8', html)
}
