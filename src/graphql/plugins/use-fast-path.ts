/** Tells the lanes of each valid document that is executed, and of each request whose document cannot run. */
import type { Plugin } from 'graphql-yoga'
import type { Admitted } from '../http/graphql-handler.ts'
import type { FastPath } from '../fast-path/fast-path.ts'
import { isRequestError } from './use-request-error-status.ts'

export function useFastPath(fastPath: Pick<FastPath, 'learn' | 'cacheRefusal'>): Plugin<object, Admitted> {
  const refused = new WeakSet<Request>()
  return {
    onExecute: ({ args }) => fastPath.learn(args.document),
    onResultProcess: ({ request, result }) => {
      if (isRequestError(result)) refused.add(request)
    },
    onResponse: async ({ request, response, serverContext: { cacheKey } }) => {
      const { status } = response
      const type = response.headers.get('content-type')
      // Other statuses (429, 503) pass; those two are what a document deserves.
      const isLasting = refused.has(request) && (status === 200 || status === 400)
      if (cacheKey === undefined || type === null || !isLasting) return
      fastPath.cacheRefusal(cacheKey, { status, type, text: await response.clone().text() })
    },
  }
}
