import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HookTaker } from '../jobs/lifecycle/accept-hook.ts'
import { faultPoint } from '../lib/fault-points.ts'
import { discardBody } from '../lib/http/discard-body.ts'
import { readBody } from '../lib/http/read-body.ts'
import { sendError, sendJson, sendNotFound } from './respond.ts'

/** Far more than any document that the upstream sends. */
const MAX_HOOK_BYTES = 256 * 1024

/**
 * `POST /hooks/swapface/:token`, which only the upstream calls. The upstream counts exactly 200 as delivered (contract,
 * "Hook"), so 200 is sent only once the hook is recorded. A forged token gets the same 404 as an unknown path.
 */
export function createHookHandler(hooks: HookTaker) {
  return async (request: IncomingMessage, response: ServerResponse, token: string): Promise<void> => {
    if (request.method !== 'POST') {
      response.setHeader('allow', 'POST')
      sendError(response, 405, 'METHOD_NOT_ALLOWED', 'Send hooks with POST.')
      return
    }
    const jobId = hooks.recognise(token)
    if (jobId === null) {
      sendNotFound(response)
      return
    }
    const body = await readBody(request, MAX_HOOK_BYTES)
    if (body === null) {
      sendError(response, 413, 'TOO_LARGE', `A hook may have at most ${MAX_HOOK_BYTES} bytes.`)
      discardBody(request)
      return
    }
    switch (await hooks.accept(jobId, body.toString('utf8'))) {
      case 'notRecorded':
        response.setHeader('retry-after', '1')
        sendError(response, 503, 'UNAVAILABLE', 'The hook could not be recorded. Send it again.')
        return
      case 'recorded':
        sendJson(response, 200, { received: true })
        faultPoint('hook-answered')
    }
  }
}
