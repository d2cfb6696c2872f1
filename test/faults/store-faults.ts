/** Faults of the disk and the database. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openWireTo } from '../support/fault-proxy.ts'
import { isOnPostgres, withRawDatabase } from '../support/raw-database.ts'
import { until } from '../support/until.ts'
import { type Rig, withRig, withSharedRig } from './rig.ts'
import { fillDisk, limitFileSize, mountSmallDisk, unmountSmallDisk } from './small-disk.ts'
import { type Scenario, toResult } from './scenario.ts'
import { settleAndTime } from './wire-faults.ts'

/** Executes statements on the gateway's database, as another program would. */
export async function execSql(rig: Rig, ...statements: readonly string[]): Promise<void> {
  await withRawDatabase(rig.databaseUrl, async (database) => database.exec(...statements))
}

/** Requests a swap that cannot be recorded; returns a complaint about the response, or false. */
async function askInVain(rig: Rig): Promise<string | false> {
  const before = rig.upstream.submits
  const swap = rig.callers.newSwap()
  const answer = await rig.callers.createSwap(swap)
  if (rig.upstream.submits !== before) return 'a swap was sent that could not be recorded'
  return answer.kind !== 'unavailable' && `createSwap returned ${JSON.stringify(answer)}, not UNAVAILABLE`
}

const databaseGone: Scenario = {
  name: 'hook while the database is unavailable',
  times: { short: 2, long: 20 },
  run: (times) =>
    withRig({}, async (rig) => {
      const recoveriesMs: number[] = []
      const complaints: (string | false)[] = []
      // Only the hooks carry the ids of these jobs.
      rig.upstream.scriptJobs(() => ({ submit: { kind: 'acceptAndReset' } }))
      for (let round = 0; round < times; round += 1) {
        rig.requestSwaps(3)
        await until(() => rig.callers.swaps.slice(-3).every(({ jobIds }) => jobIds.length > 0))
        // Makes every read and write of jobs fail until the table is renamed back.
        await execSql(rig, 'alter table jobs rename to jobs_away')
        complaints.push(await askInVain(rig))
        const jobs = rig.upstream.accepted.slice(-3)
        for (const job of jobs) job.state = { status: 'SUCCESS' }
        const statuses = await Promise.all(jobs.map((job) => rig.upstream.sendHook(job)))
        if (statuses.some((status) => status !== 200))
          complaints.push(`hooks were answered with ${statuses.join(', ')}`)
        // In every second round the process is killed as well.
        if (round % 2 === 1) await rig.gateway.kill()
        await execSql(rig, 'alter table jobs_away rename to jobs')
        if (round % 2 === 1) await rig.start()
        recoveriesMs.push(...(await settleAndTime(rig)))
      }
      const note = 'the table is renamed; every second time with kill -9'
      return toResult(await rig.check(), { injected: times, recoveriesMs, note }, ...complaints)
    }),
}

/** Holds the write lock for `ms`, as a backup or a long transaction of another program does. */
async function holdWrites(rig: Rig, ms: number): Promise<void> {
  await withRawDatabase(rig.databaseUrl, async (database) => {
    const release = await database.lockWrites()
    await delay(ms)
    await release()
  })
}

const slowDatabase = (heldMs: number, times: { readonly short: number; readonly long: number }): Scenario => ({
  name: `database slow: another program holds the write lock for ${heldMs / 1_000} s`,
  times,
  run: (rounds) =>
    withRig({}, async (rig) => {
      const recoveriesMs: number[] = []
      let slowestMs = 0
      for (let round = 0; round < rounds; round += 1) {
        rig.requestSwaps(3)
        await until(() => rig.upstream.submits > round * 6)
        const held = holdWrites(rig, heldMs)
        rig.requestSwaps(3)
        const from = performance.now()
        // A new connection: an idle one may be closed while the process waits for the lock.
        const alive = await fetch(`${rig.gateway.url}/healthz`, { headers: { connection: 'close' } }).catch(() => null)
        await alive?.arrayBuffer()
        slowestMs = Math.max(slowestMs, performance.now() - from)
        await held
        recoveriesMs.push(...(await settleAndTime(rig)))
      }
      const note = `slowest /healthz meanwhile ${(slowestMs / 1_000).toFixed(1)} s`
      return toResult(await rig.check(), { injected: rounds, recoveriesMs, note })
    }),
})

const diskFull: Scenario = {
  name: 'disk full',
  times: { short: 1, long: 10 },
  run: async (times) => {
    const disk = mountSmallDisk('8m')
    try {
      return await withRig(disk === null ? {} : { dataDir: disk }, async (rig) => {
        const recoveriesMs: number[] = []
        const complaints: (string | false)[] = []
        rig.upstream.scriptJobs((_, n) => (n % 2 === 0 ? { submit: { kind: 'acceptAndReset' } } : {}))
        for (let round = 0; round < times; round += 1) {
          rig.requestSwaps(4)
          await until(() => rig.callers.swaps.slice(-4).every(({ jobIds }) => jobIds.length > 0))
          const jobs = rig.upstream.accepted.slice(-4)
          const ballast = join(rig.dataDir, 'ballast')
          if (disk === null) limitFileSize(rig.gateway.pid, '1')
          else fillDisk(ballast)
          // PostgreSQL is on another disk.
          if (!isOnPostgres) complaints.push(await askInVain(rig))
          for (const job of jobs) job.state = { status: 'SUCCESS' }
          // The gateway returns 503 if it could not write the hook to the journal.
          const statuses = await Promise.all(jobs.map((job) => rig.upstream.sendHook(job)))
          const odd = statuses.filter((status) => status !== 503 && status !== 200)
          if (odd.length > 0) complaints.push(`hooks were answered with ${statuses.join(', ')}`)
          if (disk === null) limitFileSize(rig.gateway.pid, 'unlimited')
          else rmSync(ballast)
          const refused = jobs.filter((_, n) => statuses[n] !== 200)
          await Promise.all(refused.map((job) => rig.upstream.sendHook(job)))
          recoveriesMs.push(...(await settleAndTime(rig)))
        }
        const note = disk === null ? 'files may not grow (RLIMIT_FSIZE)' : 'a tmpfs of 8 MB, filled'
        return toResult(await rig.check(), { injected: times, recoveriesMs, note }, ...complaints)
      })
    } finally {
      if (disk !== null) unmountSmallDisk(disk)
    }
  },
}

/** A job whose handling always fails because of the statements of `poison`; the other jobs must go on. */
const poisonJob = (name: string, poison: (id: string) => readonly string[], isAlarming: boolean): Scenario => ({
  name: `poison job: ${name}`,
  times: { short: 1, long: 5 },
  run: (times) =>
    withRig({ watches: false, settings: { ON_QUEUE_DEADLINE_S: '4000' } }, async (rig) => {
      const recoveriesMs: number[] = []
      const ill: string[] = []
      for (let round = 0; round < times; round += 1) {
        // Without hooks the reconciler handles all jobs, in one sweep with the poisoned one.
        rig.upstream.scriptJobs(() => ({}))
        rig.requestSwaps(6)
        await rig.callers.untilEnded(60_000)
        const [bad, ...good] = rig.upstream.accepted.slice(-6)
        const badId = rig.callers.swaps.find(({ targetImage }) => targetImage === bad?.targetImage)?.jobIds[0] ?? ''
        ill.push(badId)
        await execSql(rig, ...poison(badId))
        for (const job of good) job.state = { status: 'SUCCESS' }
        const from = performance.now()
        const goodIds = rig.callers.swaps.slice(-6).flatMap(({ jobIds }) => (jobIds[0] === badId ? [] : jobIds))
        const areDone = await until(async () => (await countDone(rig, goodIds)) === goodIds.length).catch(() => false)
        if (areDone) recoveriesMs.push(performance.now() - from)
        // The other jobs are done: the poisoned one may reach its deadline now.
        await execSql(rig, `update jobs set deadline_at = created_at, wake_at = created_at where id = '${badId}'`)
      }
      const isSettled = await rig.settle()
      const isLogged = rig.gateway.output().includes('"level":50')
      return toResult(
        await rig.check(),
        { injected: times, recoveriesMs, note: 'recovery: the five jobs beside it' },
        isAlarming && !isLogged && 'no error was logged',
        !isSettled && `the poison job has not ended (${ill.join(', ')})`,
        recoveriesMs.length < times && 'the poison job prevented other jobs from ending',
      )
    }),
})

async function countDone(rig: Rig, ids: readonly string[]): Promise<number> {
  const list = ids.map((id) => `'${id}'`).join()
  const statement = `select id from jobs where status = 'SUCCESS' and id in (${list})`
  return (await withRawDatabase(rig.databaseUrl, async (database) => database.query(statement))).length
}

/** Returns statements that make each poll of the job fail. */
function failPolls(id: string): readonly string[] {
  if (!isOnPostgres) {
    return [
      `create trigger "poison-${id}" before update of fetches on jobs when old.id = '${id}'
       begin select raise(abort, 'poison'); end`,
    ]
  }
  return [
    `create or replace function poison() returns trigger language plpgsql as $$ begin raise exception 'poison'; end $$`,
    `create trigger "poison-${id}" before update of fetches on jobs for each row when (old.id = '${id}')
     execute function poison()`,
  ]
}

/** The writes whose COMMIT gets no response, in turn. */
const LOST_AT = ['the swap', "the submit's answer", 'the result'] as const

const lostCommit: Scenario = {
  name: 'a COMMIT or the response to it is lost',
  times: { short: 6, long: 60 },
  run: (times) =>
    withSharedRig({}, async (rig) => {
      const { wire, through } = await openWireTo(rig.databaseUrl)
      try {
        await rig.gateway.stop()
        await rig.start({ settings: { DATABASE_URL: through } })
        const recoveriesMs: number[] = []
        let injected = 0
        for (let round = 0; round < times; round += 1) {
          const at = LOST_AT[round % LOST_AT.length]
          const lose = async () => {
            injected += 1
            // The protocol ends a statement with NUL.
            await wire.fail({ kind: 'resetAt', text: 'commit\0', when: round % 2 === 0 ? 'after' : 'before' })
          }
          rig.upstream.scriptJobs(() => ({
            ...(at === "the submit's answer" && { submit: { kind: 'acceptAfter', until: lose } }),
          }))
          if (at === 'the swap') await lose()
          rig.requestSwaps(3)
          await until(() => rig.callers.swaps.slice(-3).every(({ jobIds }) => jobIds.length > 0))
          if (at === 'the result') await lose()
          const jobs = rig.upstream.accepted.slice(-3)
          for (const job of jobs) job.state = { status: 'SUCCESS' }
          await Promise.all(jobs.map(async (job) => rig.upstream.sendHook(job)))
          recoveriesMs.push(...(await settleAndTime(rig)))
        }
        const sent = rig.upstream.ledger.length
        const asked = rig.callers.outlets.filter(({ text }) => text.includes('UNAVAILABLE')).length
        return toResult(
          await rig.check(),
          { injected, recoveriesMs, note: `while ${LOST_AT.join(', ')} is recorded` },
          sent !== times * 3 && `${sent} submits for ${times * 3} swaps`,
          asked > 0 && `${asked} swaps were UNAVAILABLE although the database answered`,
          recoveriesMs.length < times && 'not every swap ended',
        )
      } finally {
        await rig.gateway.stop()
        await wire.close()
      }
    }),
}

const commitInDoubt: Scenario = {
  name: 'the response to a COMMIT is lost, and the database is unavailable until the gateway gives up',
  times: { short: 1, long: 5 },
  run: (times) =>
    withSharedRig({ patienceMs: 30_000 }, async (rig) => {
      const { wire, through } = await openWireTo(rig.databaseUrl)
      try {
        await rig.gateway.stop()
        await rig.start({ settings: { DATABASE_URL: through } })
        const recoveriesMs: number[] = []
        const complaints: (string | false)[] = []
        const countRefused = () => rig.callers.outlets.filter(({ text }) => text.includes('UNAVAILABLE')).length
        for (let round = 0; round < times; round += 1) {
          const [refused, sent] = [countRefused(), rig.upstream.submits]
          await wire.fail({ kind: 'resetAt', text: 'commit\0', when: 'after', thenRefuses: true })
          rig.requestSwaps(2)
          await until(() => countRefused() >= refused + 2)
          complaints.push(
            rig.upstream.submits > sent && 'a swap was submitted although it was unknown whether it was recorded',
          )
          await wire.heal()
          recoveriesMs.push(...(await settleAndTime(rig)))
        }
        const sent = rig.upstream.ledger.length
        complaints.push(sent !== times * 2 && `${sent} submits for ${times * 2} swaps`)
        complaints.push(recoveriesMs.length < times && 'not every swap ended')
        return toResult(await rig.check(), { injected: times, recoveriesMs }, ...complaints)
      } finally {
        await rig.gateway.stop()
        await wire.close()
      }
    }),
}

export const storeFaults: readonly Scenario[] = [
  databaseGone,
  slowDatabase(2_000, { short: 1, long: 5 }),
  slowDatabase(7_000, { short: 0, long: 3 }),
  diskFull,
  ...(isOnPostgres ? [lostCommit, commitInDoubt] : []),
  poisonJob('each poll of it fails', failPolls, true),
  poisonJob('a column that cannot be read', (id) => [`update jobs set tags = '{' where id = '${id}'`], false),
]
