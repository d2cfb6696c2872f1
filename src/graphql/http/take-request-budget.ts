import type { Viewer } from '../../auth/viewer.ts'
import type { ResponseWithDefaults } from '../../lib/http/response-with-defaults.ts'
import { type RequestLimiter, setLimitHeaders } from '../../limits/limiter.ts'
import { type Caller, countRequest } from '../schema/caller.ts'

/** Counts the request and sets the rate limit headers. A spent budget is refused later, per operation. */
export async function takeRequestBudget(
  viewer: Viewer,
  limiter: RequestLimiter,
  response: ResponseWithDefaults,
  now: number,
): Promise<Caller> {
  const caller = await countRequest(viewer, limiter, response.requestId)
  setLimitHeaders(response, caller.allowance, now)
  return caller
}
