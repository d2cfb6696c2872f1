/** Tells the lanes of each document that is run, having been found valid, and of each request that cannot be run. */
import type { Plugin } from 'graphql-yoga'
import type { Admitted } from '../front-door.ts'
import { type Lanes, REFUSED } from '../lanes/lanes.ts'

export function useLanes(lanes: Pick<Lanes, 'learn' | 'keepRefusal'>): Plugin<object, Admitted> {
  return {
    onExecute: ({ args }) => lanes.learn(args.document),
    onResponse: async ({ request, response, serverContext: { laneKey } }) => {
      const type = response.headers.get('content-type')
      if (laneKey === undefined || response.status !== REFUSED || type === null) return
      const text = await response.clone().text()
      lanes.keepRefusal(laneKey, request.headers.get('accept'), { status: REFUSED, type, text })
    },
  }
}
