/** Runs an operation in its caller's turn, and refuses one that costs too much, before it is executed. */
import { getOperationAST, GraphQLError } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import type { Context } from '../schema/context.ts'
import type { OperationScheduler } from '../operation/operation-scheduler.ts'

export function useOperationScheduler(scheduler: OperationScheduler): Plugin<Context> {
  return {
    onExecute: async ({ args, setResultAndStopExecution }) => {
      const { document, operationName, variableValues, contextValue } = args
      const operation = getOperationAST(document, operationName)
      if (!operation) return
      try {
        await scheduler.take(contextValue, document, operation, variableValues ?? {})
      } catch (error) {
        if (!(error instanceof GraphQLError)) throw error
        setResultAndStopExecution({ errors: [error] })
      }
    },
  }
}
