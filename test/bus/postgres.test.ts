/** Wake-ups between processes on one PostgreSQL, over connections that the tests can cut. */
import { expect, test } from 'vitest'
import { openPostgresBus } from '../../src/bus/postgres.ts'
import { createBackground } from '../../src/lib/async/background.ts'
import { systemClock } from '../../src/lib/time/clock.ts'
import { openWireTo } from '../support/fault-proxy.ts'
import { createDatabase } from '../support/postgres.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { until } from '../support/until.ts'

/** The changes that a poll finds: a list of the test's own. */
type Changes = { sequence: number; id: string; tenant: string }[]

function openBus(url: string, changes: Changes = []) {
  const stopping = new AbortController()
  const failures: string[] = []
  let polls = 0
  const background = createBackground(() => {})
  closeAfterTest(async () => {
    stopping.abort()
    await background.settled()
  })
  const bus = openPostgresBus({
    url,
    listLatestChanges: async (after, limit) => {
      polls += 1
      return changes
        .filter(({ sequence }) => sequence > after)
        .toSorted((a, b) => b.sequence - a.sequence)
        .slice(0, limit)
    },
    background,
    clock: systemClock,
    stopping: stopping.signal,
    onFailure: (what) => failures.push(what),
  })
  const heard: string[] = []
  const hear = (id: string) => bus.subscribeJob(id, () => heard.push(id))
  return { bus, heard, hear, failures, polls: () => polls }
}

/** Waits until both have received all notifications sent so far: PostgreSQL delivers them in the order of their commits. */
async function settle(...buses: readonly ReturnType<typeof openBus>[]): Promise<void> {
  for (const [n, { bus, heard, hear }] of buses.entries()) {
    const id = `job_settled_${n}_${heard.length}`
    hear(id)
    for (const other of buses) if (other.bus !== bus) other.bus.publish({ id, tenant: 'settled' })
    await until(() => heard.includes(id))
  }
}

async function openWire() {
  const { url, drop } = await createDatabase()
  closeAfterTest(drop)
  const { wire: proxy, through } = await openWireTo(url)
  closeAfterTest(() => proxy.close())
  return { url, through, proxy }
}

test('a change published by one process wakes each listener of the job and of its tenant in the others once', async () => {
  const { url } = await openWire()
  const [here, there] = [openBus(url), openBus(url)]
  const [mine, other, tenant]: [string[], string[], string[]] = [[], [], []]
  here.bus.subscribeJob('job_1', () => mine.push('job_1'))
  there.bus.subscribeJob('job_2', () => other.push('job_2'))
  there.bus.subscribeTenant('a tenant\nwith ü', () => tenant.push('job_1'))
  // The bus does not report when its connection listens: publish until the other process receives it.
  await until(() => {
    here.bus.publish({ id: 'job_1', tenant: 'a tenant\nwith ü' })
    return tenant.length > 0
  })
  expect(mine.length).toBeGreaterThan(0)
  expect(other).toEqual([])
  await settle(there, here)
  const before = { mine: mine.length, tenant: tenant.length }
  here.bus.publish({ id: 'job_1', tenant: 'a tenant\nwith ü' })
  await until(() => tenant.length > before.tenant)
  // PostgreSQL sends the publisher its own notification, which must not wake its listeners again.
  await settle(there, here)
  expect({ mine: mine.length, tenant: tenant.length }).toEqual({ mine: before.mine + 1, tenant: before.tenant + 1 })
})

test('a message to peers reaches every other process and not its sender', async () => {
  const { url } = await openWire()
  const buses = [openBus(url), openBus(url), openBus(url)]
  const heard = buses.map(({ bus }) => {
    const messages: string[] = []
    bus.subscribePeers((message) => messages.push(message))
    return messages
  })
  await until(() => {
    buses[0]?.bus.publishToPeers('failed')
    return heard[1]?.includes('failed') === true && heard[2]?.includes('failed') === true
  })
  expect(heard[0]).toEqual([])
})

test('thousands of changes in one turn of the event loop are sent in a few notifications', async () => {
  const { url } = await openWire()
  const [here, there] = [openBus(url), openBus(url)]
  const ids = Array.from({ length: 3_000 }, (_unused, n) => `job_${String(n).padStart(22, '0')}`)
  for (const id of ids) there.hear(id)
  await until(() => {
    here.bus.publish({ id: ids[0] ?? '', tenant: 'a' })
    return there.heard.length > 0
  })
  for (const id of ids) here.bus.publish({ id, tenant: 'a' })
  await until(() => new Set(there.heard).size === ids.length)
  expect(there.failures).toEqual([])
})

test('a silently cut connection is detected by the heartbeat, and until then polling finds the changes', async () => {
  const { url, through, proxy } = await openWire()
  const changes: Changes = [{ sequence: 1, id: 'job_old', tenant: 'a' }]
  const [here, there] = [openBus(url), openBus(through, changes)]
  there.hear('job_1')
  there.hear('job_2')
  await until(() => {
    here.bus.publish({ id: 'job_1', tenant: 'a' })
    return there.heard.length > 0
  })
  const connections = proxy.connections
  await proxy.fail({ kind: 'blackHole', direction: 'both' })
  here.bus.publish({ id: 'job_2', tenant: 'a' })
  changes.push({ sequence: 2, id: 'job_2', tenant: 'a' })
  await until(() => there.heard.includes('job_2'))
  await until(() => there.failures.includes('listen for changes'))
  await proxy.heal()
  await until(() => proxy.connections > connections)
  const before = there.heard.length
  await until(() => {
    here.bus.publish({ id: 'job_1', tenant: 'a' })
    return there.heard.length > before
  })
  expect(here.failures).toEqual([])
}, 30_000)

test('a change that becomes visible after one with a higher sequence number is still published', async () => {
  const { url } = await openWire()
  const changes: Changes = [{ sequence: 1, id: 'job_old', tenant: 'a' }]
  const { heard, hear, failures, polls } = openBus(url, changes)
  hear('job_early')
  hear('job_late')
  await until(() => polls() > 0)
  changes.push({ sequence: 3, id: 'job_late', tenant: 'a' })
  await until(() => heard.includes('job_late'))
  changes.push({ sequence: 2, id: 'job_early', tenant: 'a' })
  await until(() => heard.includes('job_early'))
  expect(failures).toEqual([])
}, 15_000)
