import { connectClient, makeMany } from './clients.ts'
import { openBenchGateway } from './gateway.ts'

const READERS = 20
/** Jobs before the measurement. */
const WARM_UP = 333
/** Recorded, submitted, done. */
const CHANGES_OF_A_JOB = 3

/** Makes many changes for subscribers to all jobs, optionally with one more that does not read. */
export async function runChanges(changes: number, hasPaused: boolean) {
  const gateway = await openBenchGateway()
  try {
    const query = 'subscription { swapJobsUpdated { kind cursor job { id status version done } } }'
    const slow = hasPaused ? await connectClient(gateway.url) : null
    await slow?.subscribe('1', { query })
    slow?.socket.pause()
    const readers = await makeMany(READERS, async () => connectClient(gateway.url))
    await Promise.all(readers.map(async (client) => client.subscribe('1', { query })))
    await runJobs(WARM_UP)
    const before = await gateway.process.memory()
    const waits: number[] = []
    const total = Math.ceil(changes / CHANGES_OF_A_JOB)
    await runJobs(total, waits)
    const grownBytes = (await gateway.process.memory()).resident - before.resident
    const isAlive = gateway.process.isAlive()
    for (const { socket } of readers) socket.terminate()
    slow?.socket.terminate()
    return { grownBytes, waits, isAlive, changes: total * CHANGES_OF_A_JOB }

    /** Three changes each: recorded, submitted, done. */
    async function runJobs(count: number, measured?: number[]) {
      const sentAt = new Map<string, number>()
      let seen = 0
      const all = new Promise<void>((resolve) => {
        for (const client of readers) {
          client.onNext = (_id, event, at) => {
            if (!event.includes('"status":"SUCCESS"')) return
            const id = /"job":\{"id":"([^"]+)"/.exec(event)?.[1] ?? ''
            measured?.push(at - (sentAt.get(id) ?? at))
            seen += 1
            if (seen === count * readers.length) resolve()
          }
        }
      })
      for (let done = 0; done < count; done += 50) {
        const jobs = await gateway.createJobs(Math.min(50, count - done))
        await Promise.all(
          jobs.map(async (job) => {
            sentAt.set(job.id, performance.now())
            await gateway.finish(job)
          }),
        )
      }
      await all
    }
  } finally {
    await gateway.close()
  }
}
