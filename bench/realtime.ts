/**
 * What subscriptions cost, beside a bare `ws` server that sends the same bytes in the same run:
 * `npx tsx bench/realtime.ts [scenario …]` prints one Markdown table. The servers are processes of their own; clients,
 * upstream and this run share the machine with them, so read the ratios and not the times.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../test/support/until.ts'
import { connectClient, connectPeer, listen, makeMany, watchJob } from './realtime/clients.ts'
import { type Figures, kilobytes, median, milliseconds, pair, percentile, sum } from './realtime/figures.ts'
import { betweenLooks, openBenchGateway } from './realtime/gateway.ts'
import { startProcess } from './realtime/process.ts'
import { runChanges } from './realtime/run-changes.ts'

const SOCKETS = 5_000
const MORE_SUBSCRIPTIONS = 10
const ROUNDS = 10
const HOOKS = 1_000
const HOOKS_PER_SECOND = 1_000
const PLACED = 10_000
const WITHIN_MS = 5
const CHANGES = 20_000

const scenarios = { idle, 'fan-out': fanOut, hooks, paused, missed, reconnect }

const chosen = process.argv.slice(2)
const rows: string[] = []
let isBroken = false
for (const [name, run] of Object.entries(scenarios)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue
  for (const [what, figure] of await run()) rows.push(`| ${name} | ${what} | ${figure} |`)
  process.stderr.write(`${rows.at(-1)}\n`)
}
console.log(['| scenario | what | measured |', '|---|---|---|', ...rows].join('\n'))
process.exit(isBroken ? 1 : 0)

async function openPeer() {
  return startProcess('bench/realtime/peer.mjs', {})
}

/** Memory of sockets that wait, each for a job of its own. */
async function idle(): Promise<Figures> {
  const gateway = await openBenchGateway()
  const peer = await openPeer()
  try {
    const jobs = await gateway.createJobs(SOCKETS)
    const before = { gateway: await gateway.process.memory(), peer: await peer.memory() }
    const clients = await makeMany(SOCKETS, async (n) => {
      const client = await connectClient(gateway.url)
      await client.subscribe('1', watchJob(jobs[n]?.id ?? ''))
      return client
    })
    const peers = await makeMany(SOCKETS, async () => connectPeer(peer.url))
    const withOne = await gateway.process.memory()
    const one = withOne.resident - before.gateway.resident
    const bare = (await peer.memory()).resident - before.peer.resident
    await makeMany(SOCKETS, async (n) => {
      for (let more = 1; more <= MORE_SUBSCRIPTIONS; more += 1) {
        await clients[n]?.subscribe(`more-${more}`, watchJob(jobs[(n + more) % SOCKETS]?.id ?? ''))
      }
    })
    const withMore = await gateway.process.memory()
    const perFurther = (bytes: number) => kilobytes(bytes / SOCKETS / MORE_SUBSCRIPTIONS)
    for (const { socket } of [...clients, ...peers]) socket.terminate()
    return [
      [`memory of a socket with a subscription, of ${SOCKETS}`, kilobytes(one / SOCKETS)],
      ['the same of a bare socket', kilobytes(bare / SOCKETS)],
      ['ratio', (one / bare).toFixed(2)],
      ['a further subscription on the same socket', perFurther(withMore.resident - withOne.resident)],
      ['the same, held by objects', perFurther(withMore.heap - withOne.heap)],
    ]
  } finally {
    await Promise.all([gateway.close(), peer.stop('SIGKILL')])
  }
}

/** One last change, and all who watch that job. */
async function fanOut(): Promise<Figures> {
  const gateway = await openBenchGateway()
  const peer = await openPeer()
  try {
    const clients = await makeMany(SOCKETS, async () => connectClient(gateway.url))
    const peers = await makeMany(SOCKETS, async () => connectPeer(peer.url))
    const figures = { cpu: [] as number[], bareCpu: [] as number[], last: [] as number[], bareLast: [] as number[] }
    let quiet = 0
    for (let round = 0; round <= ROUNDS; round += 1) {
      const [job] = await gateway.createJobs(1)
      if (!job) throw new TypeError('a job was asked for')
      await makeMany(SOCKETS, async (n) => clients[n]?.subscribe(`r${round}`, watchJob(job.id)))
      let text = ''
      const times: number[] = []
      const all = new Promise<void>((resolve) => {
        for (const client of clients) {
          client.onNext = (_id, event, at) => {
            text = event
            if (times.push(at) === SOCKETS) resolve()
          }
        }
      })
      const cpu = gateway.process.cpuMs()
      await gateway.finish(job)
      await all
      await delay(200)
      const spent = gateway.process.cpuMs() - cpu
      const bareTimes: number[] = []
      const bareAll = new Promise<void>((resolve) => {
        for (const { socket } of peers) {
          socket.removeAllListeners('message')
          // As much work as the clients of the gateway have.
          listen(socket, () => {
            if (bareTimes.push(performance.now()) === SOCKETS) resolve()
          })
        }
      })
      const bareCpu = peer.cpuMs()
      await fetch(`${peer.url}/send?to=all`, { method: 'POST', body: text })
      await bareAll
      await delay(200)
      // What the same time without an event costs: a sweep of the queue, pings.
      const quietFrom = gateway.process.cpuMs()
      await delay(400)
      quiet += gateway.process.cpuMs() - quietFrom
      // The first round warms up.
      if (round === 0) continue
      figures.cpu.push(spent)
      figures.bareCpu.push(peer.cpuMs() - bareCpu)
      figures.last.push(percentile(times, 0.99) - percentile(times, 0))
      figures.bareLast.push(percentile(bareTimes, 0.99) - percentile(bareTimes, 0))
    }
    for (const { socket } of [...clients, ...peers]) socket.terminate()
    const [cpu, bareCpu] = [sum(figures.cpu) / ROUNDS, sum(figures.bareCpu) / ROUNDS]
    const [last, bareLast] = [median(figures.last), median(figures.bareLast)]
    return [
      [`CPU of one event to ${SOCKETS}, hook and fetch included`, milliseconds(cpu)],
      ['CPU of a bare server for the same bytes', milliseconds(bareCpu)],
      ['ratio', (cpu / bareCpu).toFixed(2)],
      ['CPU of the gateway in as much time without an event', milliseconds(quiet / (ROUNDS + 1))],
      ['from the first frame to the 99th of 100', milliseconds(last)],
      ['the same of a bare server', milliseconds(bareLast)],
    ]
  } finally {
    await Promise.all([gateway.close(), peer.stop('SIGKILL')])
  }
}

/** A stream of hooks, each of another job with one subscriber. */
async function hooks(): Promise<Figures> {
  const gateway = await openBenchGateway()
  const peer = await openPeer()
  try {
    const jobs = await gateway.createJobs(HOOKS)
    const sentAt = new Map<string, number>()
    const waits: number[] = []
    let text = ''
    const clients = await makeMany(HOOKS, async (n) => {
      const client = await connectClient(gateway.url)
      await client.subscribe('1', watchJob(jobs[n]?.id ?? ''))
      return client
    })
    const all = new Promise<void>((resolve) => {
      for (const [n, client] of clients.entries()) {
        client.onNext = (_id, event, at) => {
          text = event
          waits.push(at - (sentAt.get(jobs[n]?.id ?? '') ?? 0))
          if (waits.length === HOOKS) resolve()
        }
      }
    })
    await betweenLooks(jobs)
    await paced(jobs, (job) => {
      sentAt.set(job.id, performance.now())
      void gateway.finish(job)
    })
    await all
    const peers = await makeMany(HOOKS, async () => connectPeer(peer.url))
    const bareWaits: number[] = []
    const bareSentAt = new Map<string, number>()
    const bareAll = new Promise<void>((resolve) => {
      for (const { socket, place } of peers) {
        listen(socket, () => {
          bareWaits.push(performance.now() - (bareSentAt.get(place) ?? 0))
          if (bareWaits.length === HOOKS) resolve()
        })
      }
    })
    await paced(peers, ({ place }) => {
      bareSentAt.set(place, performance.now())
      void fetch(`${peer.url}/send?to=${place}`, { method: 'POST', body: text })
    })
    await bareAll
    for (const { socket } of [...clients, ...peers]) socket.terminate()
    return [
      [`p50, p99 from the hook to the frame, ${HOOKS_PER_SECOND}/s to ${HOOKS} subscribers`, pair(waits)],
      ['p50, p99 of a bare server that is posted the same', pair(bareWaits)],
    ]
  } finally {
    await Promise.all([gateway.close(), peer.stop('SIGKILL')])
  }
}

/** One who does not read, beside others who do; and the same without it. */
async function paused(): Promise<Figures> {
  const [without, beside] = [await runChanges(CHANGES, false), await runChanges(CHANGES, true)]
  if (!without.isAlive || !beside.isAlive) isBroken = true
  return [
    [`memory that ${without.changes} changes leave behind, all reading`, kilobytes(without.grownBytes)],
    ['the same beside one who does not read', kilobytes(beside.grownBytes)],
    ['p50, p99 from the hook to the frame, all reading', pair(without.waits)],
    ['the same beside one who does not read', pair(beside.waits)],
  ]
}

/** Subscriptions that begin around the last change of their job. */
async function missed(): Promise<Figures> {
  const gateway = await openBenchGateway()
  try {
    const perRound = 500
    // Many sockets with few each: one that asks for more than a hundred a second is taken for a flood.
    const clients = await makeMany(250, async () => connectClient(gateway.url))
    const finals = new Map<string, number>()
    const versions = new Map<string, number>()
    let outOfOrder = 0
    let completed = 0
    for (const client of clients) {
      client.onNext = (id, event) => {
        if (event.includes('"done":true')) finals.set(id, (finals.get(id) ?? 0) + 1)
        const version = Number(/"version":(\d+)/.exec(event)?.[1])
        if (version <= (versions.get(id) ?? 0)) outOfOrder += 1
        versions.set(id, version)
      }
      client.onComplete = () => {
        completed += 1
      }
    }
    for (let round = 0; round < PLACED / perRound; round += 1) {
      const [job] = await gateway.createJobs(1)
      if (!job) throw new TypeError('a job was asked for')
      // The hook takes about as long as half of the window to have its effect.
      const ends = delay(WITHIN_MS).then(async () => gateway.finish(job))
      await Promise.all(
        Array.from({ length: perRound }, async (_unused, n) => {
          await delay(Math.random() * 4 * WITHIN_MS)
          clients[n % clients.length]?.ask(`${round}-${n}`, watchJob(job.id))
        }),
      )
      await ends
      await until(() => completed === (round + 1) * perRound).catch(() => null)
    }
    for (const { socket } of clients) socket.terminate()
    const lost = PLACED - finals.size
    const doubled = [...finals.values()].filter((count) => count > 1).length
    if (lost + doubled + outOfOrder > 0) isBroken = true
    return [
      [
        `of ${PLACED} placed around the last change: missed, doubled, out of order`,
        `${lost}, ${doubled}, ${outOfOrder}`,
      ],
    ]
  } finally {
    await gateway.close()
  }
}

/** All come back at once after a restart. */
async function reconnect(): Promise<Figures> {
  const gateway = await openBenchGateway()
  try {
    const jobs = await gateway.createJobs(100)
    const before = await makeMany(SOCKETS, async (n) => {
      const client = await connectClient(gateway.url)
      await client.subscribe('1', watchJob(jobs[n % jobs.length]?.id ?? ''))
      return client
    })
    for (const { socket } of before) socket.on('error', () => undefined)
    await gateway.restart()
    await gateway.process.watchLoop()
    const from = performance.now()
    const after = await Promise.all(
      Array.from({ length: SOCKETS }, async (_unused, n) => {
        const client = await connectClient(gateway.url)
        await client.subscribe('1', watchJob(jobs[n % jobs.length]?.id ?? ''))
        return client
      }),
    )
    const servedMs = performance.now() - from
    const lag = await gateway.process.readLoop()
    for (const { socket } of after) socket.terminate()
    return [
      [`${SOCKETS} clients at once after a restart: all served again after`, milliseconds(servedMs)],
      ['lag of the event loop meanwhile, p99', milliseconds(lag.p99Ms)],
      ['the longest', milliseconds(lag.maxMs)],
    ]
  } finally {
    await gateway.close()
  }
}

/** One after the other at the pace of the hooks. */
async function paced<T>(items: readonly T[], act: (item: T) => void): Promise<void> {
  const from = performance.now()
  for (const [n, item] of items.entries()) {
    const early = from + (n * 1_000) / HOOKS_PER_SECOND - performance.now()
    if (early > 1) await delay(early)
    act(item)
  }
}
