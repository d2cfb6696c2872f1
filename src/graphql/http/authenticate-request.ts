import type { IncomingMessage } from 'node:http'
import { type Authenticate, readCredentials, type Viewer } from '../../auth/viewer.ts'
import { RequestError } from '../operation/request-error.ts'

/** @throws {RequestError} 401 if the request carries no valid credential. */
export async function authenticateRequest(request: IncomingMessage, authenticate: Authenticate): Promise<Viewer> {
  const viewer = await authenticate(readCredentials(request))
  if (viewer) return viewer
  throw new RequestError(401, 'UNAUTHENTICATED', 'Send an API key or a token: Authorization: Bearer …', {
    'www-authenticate': 'Bearer realm="swapface-gateway"',
  })
}
