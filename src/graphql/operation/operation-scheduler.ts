/**
 * Decides when an operation may run: a small one immediately, a large one in the next slot of its tenant. Concurrent
 * large operations do not block the event loop together, and tenants alternate.
 */
import type { DocumentNode, OperationDefinitionNode } from 'graphql'
import { FairQueue } from '../../lib/async/fair-queue.ts'
import type { Caller } from '../schema/caller.ts'
import { MEMBERS_PER_SLOT } from '../schema/loaders.ts'
import type { CostLimits } from './cost-limits.ts'

/** Values of a response that is computed in less than a millisecond. */
const SMALL = 500

export interface OperationScheduler {
  /** Resolves in the tenant's next slot. Await it before large work: validating a document, reading a list. */
  begin(tenant: string): Promise<void>
  /**
   * Resolves when the operation may run.
   * @throws {GraphQLError} if the operation exceeds a limit of cost.
   */
  take(
    caller: Caller,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Readonly<Record<string, unknown>>,
  ): Promise<void>
  /** Returns the first members as they are, and the rest as promises that resolve in later slots of the tenant. */
  spread<T>(tenant: string, members: readonly T[]): (T | Promise<T>)[]
}

export function createOperationScheduler(limits: CostLimits): OperationScheduler {
  const scheduler = new FairQueue(Number.POSITIVE_INFINITY)
  return {
    begin: async (tenant) => scheduler.run(tenant, () => undefined),
    take: async ({ viewer }, document, operation, variables) => {
      scheduler.markActive(viewer.tenant)
      const { values, introspection } = limits.check(document, operation, variables)
      if (values + introspection > SMALL) await scheduler.run(viewer.tenant, () => undefined)
    },
    spread: (tenant, members) => {
      const later: Promise<void>[] = []
      return members.map((member, n) => {
        if (n < MEMBERS_PER_SLOT) return member
        const waitForSlot = Math.floor(n / MEMBERS_PER_SLOT) - 1
        return after((later[waitForSlot] ??= scheduler.run(tenant, () => undefined)), member)
      })
    },
  }
}

async function after<T>(waitForSlot: Promise<void>, member: T): Promise<T> {
  await waitForSlot
  return member
}
