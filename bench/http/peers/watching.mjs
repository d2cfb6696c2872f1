/** Shared by the peers' subscriptions: the current job, then each published change, then the end. */
import { confirmJob, findJob } from './jobs.mjs'

/** @typedef {{ swapJobUpdated: import('../setup.mjs').Job }} Event */

/**
 * An iterator, not a generator, so that `return` takes effect at once and not only at the next change.
 * @param {string} id
 * @param {AsyncIterator<Event>} changes
 * @returns {AsyncIterableIterator<Event>}
 */
export function watchJob(id, changes) {
  let isFirst = true
  let isOver = false
  const end = async () => {
    isOver = true
    await changes.return?.()
    return { value: undefined, done: true }
  }
  return {
    next: async () => {
      if (isOver) return end()
      const job = isFirst ? findJob(id) : undefined
      isFirst = false
      const { value, done } = job ? { value: { swapJobUpdated: job }, done: false } : await changes.next()
      if (done) return end()
      isOver = value.swapJobUpdated.done
      return { value, done: false }
    },
    return: end,
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

/**
 * @param {{ jobId: string }} document the upstream's hook
 * @param {(job: import('../setup.mjs').Job, event: Event) => void} publish
 */
export async function takeHook({ jobId }, publish) {
  const job = await confirmJob(jobId)
  if (job) publish(job, { swapJobUpdated: job })
}
