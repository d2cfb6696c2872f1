import type { ServerResponse } from 'node:http'

/** On every answer that the gateway writes itself: never sniffed, never framed, never cached by others. */
const HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
} as const

/** Answers with a JSON document. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { ...HEADERS, 'content-type': 'application/json; charset=utf-8' })
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
    ...HEADERS,
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': contentSecurityPolicy,
    'x-frame-options': 'DENY',
  })
  response.end(html)
}
