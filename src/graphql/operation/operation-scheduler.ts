/**
 * When an operation may run: at once if it is small, in its caller's turn if it is large. So many large operations at
 * once do not hold the event loop together, and those of one tenant do not hold up those of another.
 */
import type { DocumentNode, OperationDefinitionNode } from 'graphql'
import { FairQueue } from '../../lib/async/fair-queue.ts'
import type { Caller } from './caller.ts'
import type { CostLimits } from './cost-limits.ts'

/** Values of a response that take less than a millisecond. */
const SMALL = 500
/** Members of a list that are read or written in one turn: each may have fifty values. */
export const MEMBERS_A_TURN = 20

export interface OperationTurns {
  /** Resolves when the tenant may do something large: parse and validate a document, read a list. */
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
  /** The members of a list for the engine to write: the first of them at once, the others in later turns of the caller. */
  spread<T>(tenant: string, members: readonly T[]): (T | Promise<T>)[]
}

export function createOperationTurns(limits: CostLimits): OperationTurns {
  const turns = new FairQueue(Number.POSITIVE_INFINITY)
  return {
    begin: async (tenant) => turns.run(tenant, () => undefined),
    take: async ({ viewer }, document, operation, variables) => {
      turns.note(viewer.tenant)
      const { values, introspection } = limits.check(document, operation, variables)
      if (values + introspection > SMALL) await turns.run(viewer.tenant, () => undefined)
    },
    spread: (tenant, members) => {
      const later: Promise<void>[] = []
      return members.map((member, n) => {
        if (n < MEMBERS_A_TURN) return member
        const turn = Math.floor(n / MEMBERS_A_TURN) - 1
        return after((later[turn] ??= turns.run(tenant, () => undefined)), member)
      })
    },
  }
}

async function after<T>(turn: Promise<void>, member: T): Promise<T> {
  await turn
  return member
}
