/** Shared by both subscription limits: a server that sends the body of each request to the watchers of a job. */
import { createServer } from 'node:http'
import { buffer, text } from 'node:stream/consumers'

/** Creates a registry of watchers by job. @template T */
export function createWatchers() {
  /** @type {Map<string, Set<T>>} */
  const watchers = new Map()
  return {
    /** @param {string} job @param {T} one */
    add: (job, one) => {
      const all = watchers.get(job)
      if (all) all.add(one)
      else watchers.set(job, new Set([one]))
    },
    /** @param {string} job @param {T} one */
    remove: (job, one) => {
      watchers.get(job)?.delete(one)
    },
    /** Removes and returns a job's watchers: an event is the last one. @param {string} job */
    take: (job) => {
      const all = watchers.get(job) ?? []
      watchers.delete(job)
      return all
    },
  }
}

/**
 * Answers `POST /send?to=JOB`, then sends its body to all watchers of that job.
 * @param {(job: string, bytes: Buffer) => void} send
 * @param {(request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse, body: string) =>
 * void} [other]
 */
export function createPushServer(send, other) {
  return createServer((request, response) => {
    const [path, job = ''] = request.url?.split('?to=') ?? []
    const take = async () => {
      if (path !== '/send') return other?.(request, response, await text(request))
      const bytes = await buffer(request)
      response.end()
      send(job, bytes)
    }
    void take()
  })
}
