import { GraphQLError } from 'graphql'
import type { Viewer } from '../../auth/viewer.ts'
import { GatewayError } from '../../domain/errors.ts'
import type { Allowance, RequestLimiter } from '../../limits/limiter.ts'

/** Who asks, and how much of its requests is left. */
export interface Caller {
  readonly viewer: Viewer
  readonly allowance: Allowance
}

/** Counts one request of the viewer. */
export async function countRequest(viewer: Viewer, limiter: RequestLimiter): Promise<Caller> {
  return { viewer, allowance: await limiter.take(viewer.tenant) }
}

/**
 * The error that stands for an operation of a caller whose minute is used up; null where it may run. A mutation may:
 * it says so in its own result, with nothing done.
 */
export function refuseWhenSpent({ allowance }: Pick<Caller, 'allowance'>, operation: string): GraphQLError | null {
  if (!allowance.isSpent || operation === 'mutation') return null
  return new GraphQLError(limitMessage(allowance), { extensions: { code: 'RATE_LIMITED', http: { status: 429 } } })
}

/**
 * For a mutation whose result has no member that says so.
 * @throws {GatewayError} code RATE_LIMITED when the caller's minute is used up.
 */
export function requireAllowance({ allowance }: Pick<Caller, 'allowance'>): void {
  if (allowance.isSpent) throw new GatewayError('RATE_LIMITED', limitMessage(allowance))
}

export function limitMessage({ limit }: Allowance): string {
  return `More than ${limit} requests in a minute. Nothing was done. Try again later.`
}
