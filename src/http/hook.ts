import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HookReceiver } from '../jobs/lifecycle/accept-hook.ts'
import { faultPoint } from '../lib/fault-points.ts'
import type { HttpSpan, Tracing } from '../telemetry/tracing.ts'
import { discardBody } from '../lib/http/discard-body.ts'
import { readBody } from '../lib/http/read-body.ts'
import { sendError, sendJson, sendNotFound } from './respond.ts'

export const HOOK_PREFIX = '/hooks/swapface/'
/** Far more than any document that the upstream sends. */
const MAX_HOOK_BYTES = 256 * 1024

/**
 * `POST /hooks/swapface/:token`, which only the upstream calls. The upstream counts exactly 200 as delivered (contract,
 * "Hook"), so 200 is sent only once the hook is recorded. A forged token gets the same 404 as an unknown path.
 * @param tracing null if traces are off. A hook starts a trace of its own: many hooks may report one job.
 */
export function createHookHandler(hooks: HookReceiver, tracing: Pick<Tracing, 'startRequest'> | null) {
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
    const span = tracing?.startRequest('POST', `${HOOK_PREFIX}:token`, null)
    if (span) await span.run(async () => take(request, response, jobId, span))
    else await take(request, response, jobId, null)
  }

  async function take(request: IncomingMessage, response: ServerResponse, jobId: string, span: HttpSpan | null) {
    const body = await readBody(request, MAX_HOOK_BYTES)
    if (body === null) {
      sendError(response, 413, 'TOO_LARGE', `A hook may have at most ${MAX_HOOK_BYTES} bytes.`)
      discardBody(request)
    } else if ((await hooks.accept(jobId, body.toString('utf8'))) === 'recorded') {
      sendJson(response, 200, { received: true })
      faultPoint('hook-answered')
    } else {
      response.setHeader('retry-after', '1')
      sendError(response, 503, 'UNAVAILABLE', 'The hook could not be recorded. Send it again.')
    }
    span?.answered(response.statusCode)
  }
}
