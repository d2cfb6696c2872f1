/**
 * Serves result images: `discordImage` links until they expire, `cdnImage` links while the result is retained. An
 * expired link gets the status and text of Discord's CDN. Like the real services, no CORS header is sent.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'

import type { Clock } from '../../../src/lib/time/clock.ts'
import type { RestResponse, RestRequest, Route } from './rest-server.ts'
import type { ResultLinks } from './result-links.ts'
import type { ResultStore } from './result-store.ts'

const ENDED = 'This content is no longer available.'
const REFUSALS = {
  ended: [404, ENDED],
  forged: [403, 'The parameters of this link are invalid. Use the link exactly as it was returned.'],
  unknown: [404, 'The image does not exist. Fetch the job again for its current links.'],
} as const

export function createResultRoutes(links: ResultLinks, store: ResultStore, clock: Clock): readonly Route[] {
  async function handle({ path, query, headers }: RestRequest): Promise<RestResponse> {
    const check = links.check(path, query, clock.now())
    if (check.verdict === 'good') return serveFile(store.toPath(check.file), headers['if-none-match'])
    const [status, text] = REFUSALS[check.verdict]
    return toTextResponse(status, text)
  }

  return ['/attachments/', '/cdn/'].map((path) => ({ path, methods: ['GET', 'HEAD'], handle }))
}

async function serveFile(path: string, known: string | undefined): Promise<RestResponse> {
  const found = await stat(path).catch(() => null)
  if (found === null) return toTextResponse(404, ENDED)
  // A result's name is unique and its bytes never change, so the name identifies the version.
  const etag = `"${basename(path)}"`
  const headers = { etag, 'last-modified': found.mtime.toUTCString() }
  if (known === etag) return { status: 304, headers, body: '' }
  return {
    status: 200,
    headers: {
      ...headers,
      'content-type': path.endsWith('.png') ? 'image/png' : 'image/jpeg',
      'content-length': found.size,
    },
    body: () => createReadStream(path),
  }
}

function toTextResponse(status: number, text: string): RestResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: text }
}
