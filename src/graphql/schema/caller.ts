import { GraphQLError } from 'graphql'
import type { Viewer } from '../../auth/viewer.ts'
import { GatewayError } from '../../domain/errors.ts'
import type { Allowance, RequestLimiter } from '../../limits/limiter.ts'

/** The viewer of a request, and its remaining request budget. */
export interface Caller {
  readonly viewer: Viewer
  readonly allowance: Allowance
  /** Of the HTTP request, or of the one that opened the WebSocket; for the log. */
  readonly requestId: string
}

/** Counts one request of the viewer. */
export async function countRequest(viewer: Viewer, limiter: RequestLimiter, requestId: string): Promise<Caller> {
  return { viewer, allowance: await limiter.take(viewer.tenant), requestId }
}

/**
 * Returns the error for an operation whose caller has used up its requests; null if the operation may run. A mutation
 * may, because its resolver refuses it (`limit-mutations.ts`).
 */
export function refuseWhenSpent({ allowance }: Pick<Caller, 'allowance'>, operation: string): GraphQLError | null {
  if (!allowance.isSpent || operation === 'mutation') return null
  return new GraphQLError(limitMessage(allowance), { extensions: { code: 'RATE_LIMITED', http: { status: 429 } } })
}

/** @throws {GatewayError} code RATE_LIMITED if the caller's requests are used up. */
export function requireAllowance({ allowance }: Pick<Caller, 'allowance'>): void {
  if (allowance.isSpent) throw new GatewayError('RATE_LIMITED', limitMessage(allowance))
}

export function limitMessage({ limit }: Allowance): string {
  return `More than ${limit} requests in a minute. Nothing was done. Try again later.`
}
