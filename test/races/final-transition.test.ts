/** The most common race of subscriptions: a job ends while a caller subscribes. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { CreateSwapDocument } from '../support/generated.ts'
import { connectWire, type WireMessage } from '../support/live-stage.ts'
import { openTestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const ROUNDS = 10
// Few operations per socket: a hundred messages in a second count as a flood.
const SOCKETS = 25
const EACH = 4
const WITHIN_MS = 5

test('each of 1,000 subscribers within 5 ms of the last change sees it once, in order, and completes', async () => {
  const gateway = await openTestApp({ settings: { FETCH_PER_SECOND: '1000' } })
  const sockets = Array.from({ length: SOCKETS }, () => connectWire(gateway.app.url))
  await Promise.all(sockets.map(({ init }) => init()))
  const faults: string[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const input = {
      targetImage: { url: `https://example.com/${round}.jpg` },
      swapImage: { url: 'https://example.com/f.jpg' },
    }
    const { data } = await gateway.graphql(CreateSwapDocument.toString(), { input })
    const { id } = data.createSwap.job
    const accepted = gateway.upstream.accepted.at(-1)
    if (!accepted) throw new Error('the upstream took no job')
    accepted.state = { status: 'SUCCESS' }
    const ends = gateway.upstream.sendHook(accepted)
    const changed = until(() => gateway.events.some(({ name, args }) => name === 'jobMoved' && isEnd(args[0], id)), {
      everyMs: 1,
    })
    const query = `subscription { swapJobUpdated(id: "${id}") { version done } }`
    const offsets = Array.from({ length: SOCKETS * EACH }, () => Math.random() * 2 * WITHIN_MS)
    await Promise.all(
      offsets.map(async (offset, n) => {
        await delay(offset)
        sockets[n % SOCKETS]?.subscribe(`${round}-${n}`, query)
      }),
    )
    await ends
    await changed
    await until(() => countCompleted() === (round + 1) * SOCKETS * EACH)
  }

  for (const { messages, socket } of sockets) {
    expect(socket.readyState).toBe(WebSocket.OPEN)
    for (const [id, events] of groupById(messages)) {
      if (id === undefined) continue
      const versions = events.flatMap(({ payload }) => {
        const job = (payload as { data?: { swapJobUpdated: { version: number; done: boolean } } } | undefined)?.data
          ?.swapJobUpdated
        return job ? [[job.version, job.done] as const] : []
      })
      if (versions.filter(([, done]) => done).length !== 1) faults.push(`${id}: ${JSON.stringify(versions)}`)
      if (versions.some(([version], at) => version <= (versions[at - 1]?.[0] ?? 0))) faults.push(`${id}: out of order`)
      if (events.at(-1)?.type !== 'complete') faults.push(`${id}: not completed last`)
    }
  }
  expect(faults).toEqual([])

  function countCompleted(): number {
    return sockets.reduce((sum, { messages }) => sum + messages.filter(({ type }) => type === 'complete').length, 0)
  }
})

function isEnd(job: unknown, id: unknown): boolean {
  const { id: movedId, status } = job as { readonly id: string; readonly status: string }
  return movedId === id && status === 'SUCCESS'
}

function groupById(messages: readonly WireMessage[]): Map<string | undefined, WireMessage[]> {
  const groups = new Map<string | undefined, WireMessage[]>()
  for (const message of messages) groups.set(message.id, [...(groups.get(message.id) ?? []), message])
  return groups
}
