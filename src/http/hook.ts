import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HookTaker } from '../jobs/lifecycle/accept-hook.ts'
import { faultPoint } from '../lib/fault-points.ts'
import { discardBody } from '../lib/http/discard-body.ts'
import { readBody } from '../lib/http/read-body.ts'
import { sendError, sendJson, sendNotFound } from './respond.ts'

/** Far above any document of the upstream. */
const MAX_HOOK_BYTES = 256 * 1024

/**
 * The hook endpoint, the upstream's only: `POST /hooks/swapface/:token`. The upstream counts exactly 200 as delivered
 * (contract, "Hook"), so 200 is said only of what is on disk; a token that is not ours gets what an unknown path gets.
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
