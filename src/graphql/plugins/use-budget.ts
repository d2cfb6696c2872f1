/** Runs no operation of a caller whose requests are used up (`caller.ts`). */
import { type ExecutionArgs, getOperationAST, type GraphQLError } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import { refuseWhenSpent } from '../operation/caller.ts'
import type { Context } from '../schema/context.ts'

export function useBudget(): Plugin<Context> {
  return {
    onExecute: ({ args, setResultAndStopExecution }) => {
      const refusal = findRefusal(args, args.contextValue)
      if (refusal) setResultAndStopExecution({ errors: [refusal] })
    },
    onSubscribe: ({ args, setResultAndStopExecution }) => {
      const refusal = findRefusal(args, args.contextValue)
      if (refusal) setResultAndStopExecution({ errors: [refusal] })
    },
  }
}

function findRefusal({ document, operationName }: ExecutionArgs, context: Context): GraphQLError | null {
  const operation = getOperationAST(document, operationName)
  return operation ? refuseWhenSpent(context, operation.operation) : null
}
