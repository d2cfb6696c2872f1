/** Tells the lanes of each document that is run: it has been parsed, and found valid, by the rules of this pipeline. */
import type { Plugin } from 'graphql-yoga'
import type { Lanes } from '../lanes/lanes.ts'

export function useLanes(lanes: Pick<Lanes, 'learn'>): Plugin {
  return {
    onExecute: ({ args }) => lanes.learn(args.document),
  }
}
