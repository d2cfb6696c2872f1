import type { ServerResponse } from 'node:http'

/** Answers with a JSON document. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
  response.end(`${JSON.stringify(body)}\n`)
}

/** Answers with an error that says what to do. */
export function sendError(response: ServerResponse, status: number, code: string, message: string): void {
  sendJson(response, status, { error: { code, message } })
}

/** Nothing is told apart here: not a wrong token from a wrong path. */
export function sendNotFound(response: ServerResponse): void {
  sendError(response, 404, 'NOT_FOUND', 'There is nothing here. GraphQL is at /graphql.')
}

/** Answers with a page that may load nothing but what `contentSecurityPolicy` names. */
export function sendHtml(response: ServerResponse, html: string, contentSecurityPolicy: string): void {
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': contentSecurityPolicy,
  })
  response.end(html)
}
