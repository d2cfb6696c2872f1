/** Faults of processes: paused, duplicated, or down for a long time. */
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFaultProxy } from '../support/fault-proxy.ts'
import { isOnPostgres, withRawDatabase } from '../support/raw-database.ts'
import { until } from '../support/until.ts'
import { findFreePort } from './gateway-process.ts'
import { GOOD, type Rig, withRig } from './rig.ts'
import { type Scenario, toResult } from './scenario.ts'
import { execSql } from './store-faults.ts'
import { holdFor, settleAndTime } from './wire-faults.ts'

const LEASE_MS = 12_000

/** Pauses the process while it holds no database lock: with one, it would block the other processes. */
async function stopBetweenWrites(gateway: Rig['gateway'], { databaseUrl }: Rig): Promise<void> {
  await until(
    async () => {
      gateway.signal('SIGSTOP')
      try {
        await withRawDatabase(databaseUrl, async ({ lockWrites }) => (await lockWrites())())
        return true
      } catch {
        gateway.signal('SIGCONT')
        return false
      }
    },
    { timeoutMs: 30_000 },
  )
}

/** Runs `work` with a folder for another process, and removes the folder afterwards. */
async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'swapface-faults-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const sigstop: Scenario = {
  name: 'SIGSTOP for longer than a lease while a second process continues',
  times: { short: 1, long: 20 },
  run: async (times) => {
    // Hooks pass through this proxy, which forwards them to the process that is up.
    const front = await openFaultProxy(await findFreePort())
    try {
      // The paused process follows its hooks once it resumes; on a busy machine, after the default deadline.
      const options = {
        watches: false,
        patienceMs: 3_000,
        settings: { PUBLIC_URL: front.url, UNCONFIRMED_DEADLINE_S: '3600' },
      }
      return await withRig(options, async (rig) =>
        withFolder(async (folder) => {
          const folders = [rig.dataDir, folder]
          const recoveriesMs: number[] = []
          front.forwardTo(Number(new URL(rig.gateway.url).port))
          for (let round = 0; round < times; round += 1) {
            const first = rig.gateway
            const release = new AbortController()
            // The responses to these submits arrive after the first process resumes; every second job's hook comes earlier.
            rig.upstream.scriptJobs((_, n) => ({
              ...GOOD,
              ...(n % 2 === 0 && { hooks: { copies: 1 } }),
              submit: { kind: 'acceptAfter', until: () => once(release.signal, 'abort') },
              states: [{ afterMs: 300, state: { status: 'SUCCESS' } }],
            }))
            const before = rig.upstream.accepted.length
            rig.requestSwaps(4)
            await until(() => rig.upstream.accepted.length === before + 4)
            await stopBetweenWrites(first, rig)
            front.forwardTo(await findFreePort())
            const second = await rig.start({ port: await findFreePort(), dataDir: folders[(round + 1) % 2] ?? '' })
            front.forwardTo(Number(new URL(second.url).port))
            await holdFor(rig, LEASE_MS + 10_000)
            rig.upstream.scriptJobs(() => GOOD)
            rig.requestSwaps(2)
            release.abort()
            first.signal('SIGCONT')
            recoveriesMs.push(...(await settleAndTime(rig)))
            await first.kill()
          }
          return toResult(await rig.check(), { injected: times, recoveriesMs })
        }),
      )
    } finally {
      await front.close()
    }
  },
}

const stoppedAlone: Scenario = {
  name: 'SIGSTOP for longer than a lease while a second process on the same folder is refused',
  times: { short: 1, long: 10 },
  run: async (times) =>
    withRig({ watches: false }, async (rig) => {
      const recoveriesMs: number[] = []
      const complaints: (string | false)[] = []
      for (let round = 0; round < times; round += 1) {
        const release = new AbortController()
        rig.upstream.scriptJobs(() => ({
          ...GOOD,
          submit: { kind: 'acceptAfter', until: () => once(release.signal, 'abort') },
        }))
        const before = rig.upstream.accepted.length
        rig.requestSwaps(2)
        await until(() => rig.upstream.accepted.length === before + 2)
        rig.gateway.signal('SIGSTOP')
        const refusal = await rig.start({ port: await findFreePort() }).then(() => 'it started', String)
        complaints.push(!refusal.includes('in use by another gateway process') && `the second process: ${refusal}`)
        await holdFor(rig, LEASE_MS + 10_000)
        rig.gateway.signal('SIGCONT')
        release.abort()
        recoveriesMs.push(...(await settleAndTime(rig)))
      }
      return toResult(await rig.check(), { injected: times, recoveriesMs }, ...complaints)
    }),
}

const besideAnother: Scenario = {
  name: 'kill -9 with an accepted hook while a second process uses the same database',
  times: { short: 1, long: 10 },
  run: (times) =>
    // On a busy machine the three starts take half an hour of the program's clock.
    withRig({ watches: false, settings: { UNCONFIRMED_DEADLINE_S: '3600' } }, async (rig) =>
      withFolder(async (folder) => {
        const recoveriesMs: number[] = []
        let port = Number(new URL(rig.gateway.url).port)
        const folders = [rig.dataDir, folder] as const
        for (let round = 0; round < times; round += 1) {
          const first = rig.gateway
          rig.upstream.scriptJobs(() => ({ submit: { kind: 'acceptAndReset' } }))
          rig.requestSwaps(2)
          await until(() => rig.callers.swaps.slice(-2).every(({ jobIds }) => jobIds.length > 0))
          const jobs = rig.upstream.accepted.slice(-2)
          const otherPort = await findFreePort()
          await rig.start({ port: otherPort, dataDir: folders[1] })
          // The first process dies after acknowledging the hooks and before a fetch succeeds.
          const held = new Set(jobs.map(({ id }) => id))
          rig.upstream.failFetches((id) => (held.has(id) ? { status: 503, body: '' } : null))
          for (const job of jobs) job.state = { status: 'SUCCESS' }
          await Promise.all(jobs.map((job) => rig.upstream.sendHook(job)))
          await first.kill()
          // The second process acknowledges and settles its own hooks.
          rig.upstream.scriptJobs(() => ({ ...GOOD, hooks: { copies: 0 } }))
          await rig.callers.requestSwap()
          const own = rig.upstream.accepted.at(-1)
          if (own) {
            const path = new URL(own.hookUrl).pathname
            await (
              await fetch(rig.gateway.url + path, { method: 'POST', body: JSON.stringify({ jobId: own.id }) })
            ).text()
          }
          rig.upstream.failFetches(null)
          const second = rig.gateway
          // The journal in the first process's folder has the hooks that it acknowledged.
          await rig.start({ port, dataDir: folders[0] })
          recoveriesMs.push(...(await settleAndTime(rig, 25_000)))
          await second.kill()
          port = Number(new URL(rig.gateway.url).port)
        }
        return toResult(await rig.check(), { injected: times, recoveriesMs })
      }),
    ),
}

/**
 * Ends two swaps upstream whose submits got no response, and sends their hooks while every fetch fails.
 * @returns the statuses of the responses to the hooks.
 */
async function sendUnconfirmableHooks(rig: Rig) {
  rig.upstream.failFetches(() => ({ status: 503, body: '' }))
  rig.requestSwaps(2)
  await until(() => rig.callers.swaps.slice(-2).every(({ jobIds }) => jobIds.length > 0))
  const jobs = rig.upstream.accepted.slice(-2)
  for (const job of jobs) job.state = { status: 'SUCCESS' }
  return Promise.all(jobs.map(async (job) => rig.upstream.sendHook(job)))
}

const awayForLong: Scenario = {
  name: 'kill -9 with an accepted hook, restarted after the deadline',
  times: { short: 1, long: 10 },
  run: (times) =>
    withRig({}, async (rig) => {
      const recoveriesMs: number[] = []
      rig.upstream.scriptJobs(() => ({ submit: { kind: 'acceptAndReset' } }))
      for (let round = 0; round < times; round += 1) {
        await sendUnconfirmableHooks(rig)
        await rig.gateway.kill()
        await execSql(
          rig,
          "update jobs set deadline_at = created_at, wake_at = created_at where status = 'UNCONFIRMED'",
        )
        rig.upstream.failFetches(null)
        await rig.start()
        recoveriesMs.push(...(await settleAndTime(rig)))
      }
      return toResult(await rig.check(), { injected: times, recoveriesMs })
    }),
}

const JOURNAL = 'hooks.journal'

/** Moves the first journal record to a file as earlier versions wrote it, named after a live process: this one. */
async function splitJournal(dataDir: string): Promise<number> {
  const records = (await readFile(join(dataDir, JOURNAL), 'utf8')).split('\n').filter(Boolean)
  const toText = (some: readonly string[]) => some.map((note) => `\n${note}`).join('')
  await writeFile(join(dataDir, `hooks-${process.pid}-0f.journal`), toText(records.slice(0, 1)))
  await writeFile(join(dataDir, JOURNAL), toText(records.slice(1)))
  return records.length
}

const numberAlive: Scenario = {
  name: 'kill -9 with accepted hooks, and another process has the id of the dead process',
  times: { short: 1, long: 10 },
  run: (times) =>
    withRig({ settings: { UNCONFIRMED_DEADLINE_S: '3600' } }, async (rig) => {
      const recoveriesMs: number[] = []
      const complaints: (string | false)[] = []
      // Only the hooks carry the ids of these jobs.
      rig.upstream.scriptJobs(() => ({ submit: { kind: 'acceptAndReset' } }))
      for (let round = 0; round < times; round += 1) {
        const statuses = await sendUnconfirmableHooks(rig)
        if (statuses.some((status) => status !== 200)) complaints.push(`hooks were answered with ${statuses.join()}`)
        await rig.gateway.kill()
        const records = await splitJournal(rig.dataDir)
        if (records !== 2) complaints.push(`${records} of 2 hooks that were answered with 200 are in the journal`)
        rig.upstream.failFetches(null)
        await rig.start()
        recoveriesMs.push(...(await settleAndTime(rig)))
        const journals = (await readdir(rig.dataDir)).filter((name) => name.endsWith('.journal'))
        if (journals.some((name) => name !== JOURNAL)) complaints.push(`left behind: ${journals.join()}`)
      }
      return toResult(await rig.check(), { injected: times, recoveriesMs }, ...complaints)
    }),
}

const FETCH_PER_SECOND = 20

const restart: Scenario = {
  name: 'restart with many unfinished jobs',
  times: { short: 200, long: 10_000 },
  isAlone: true,
  run: (times) =>
    withRig(
      {
        watches: false,
        settings: { MAX_IN_FLIGHT: '20000', FETCH_PER_SECOND: String(FETCH_PER_SECOND), ON_QUEUE_DEADLINE_S: '100000' },
      },
      async (rig) => {
        // On PostgreSQL the rate limiter uses the database's clock, which tests cannot speed up.
        const count = isOnPostgres ? Math.ceil(times / rig.clockFactor) : times
        rig.upstream.scriptJobs(() => ({}))
        for (let left = count; left > 0; left -= 50) {
          rig.requestSwaps(Math.min(left, 50))
          await rig.callers.untilEnded(60_000)
        }
        await rig.gateway.kill()
        for (const job of rig.upstream.accepted) job.state = { status: 'SUCCESS' }
        const from = Date.now()
        const gateway = await rig.start()
        const recoveriesMs = await settleAndTime(rig, 180_000)
        const after = rig.upstream.fetched.filter(({ at }) => at >= from)
        const first = after[0]?.at ?? from
        const perSecond: number[] = []
        for (const { at } of after) {
          const second = Math.floor((at - first) / 1_000)
          perSecond[second] = (perSecond[second] ?? 0) + 1
        }
        const most = Math.max(...perSecond.filter((n) => n !== undefined))
        const cap = FETCH_PER_SECOND * rig.clockFactor
        return toResult(
          await rig.check(),
          {
            injected: 1,
            recoveriesMs,
            note: `${count} jobs; ready after ${(gateway.readyAfterMs / 1_000).toFixed(1)} s; at most ${(most / rig.clockFactor).toFixed(1)} fetches a second of its clock, the cap is ${FETCH_PER_SECOND}`,
          },
          // The limit plus the tolerance for one second.
          most > cap * 1.1 + 1 && `${most} fetches in a second, ${cap} are allowed`,
        )
      },
    ),
}

/** Several processes can share a database only on PostgreSQL. */
export const processFaults: readonly Scenario[] = [
  ...(isOnPostgres ? [sigstop, besideAnother] : [stoppedAlone]),
  awayForLong,
  numberAlive,
  restart,
]
