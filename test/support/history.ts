/**
 * The history checker: compares the records of one run (the upstream's ledger, the store, the responses to callers and
 * subscribers, the logs) and reports contradictions between them or with the promises.
 *
 * It imports nothing from `src`, so that a bug there cannot hide itself. It does not change its input.
 */
import { withRawDatabase } from './raw-database.ts'
import { type AcceptedJob, type FakeUpstream, type HookEntry, QUOTA, type SubmitEntry } from './fake-upstream.ts'

/** The checked columns of a row of `jobs`. */
export interface StoredJob {
  readonly id: string
  readonly status: string
  readonly version: number
  readonly upstreamId: string | null
  readonly targetImage: string
  readonly hookAddress: string | null
  readonly chargeState: string
  readonly chargeQuota: number | null
}

/** A row of `job_timeline`. */
export interface StoredEntry {
  readonly jobId: string
  readonly version: number
  readonly status: string
  /** By the program's clock. */
  readonly at: number
}

/** The events of one subscription, and how it ended. */
export interface Sighting {
  readonly jobId: string
  readonly events: readonly {
    readonly id: string
    readonly version: number
    readonly status: string
    readonly done: boolean
  }[]
  /** `cut`: the connection was lost or closed by the client. */
  readonly end: 'completed' | 'cut'
}

/** One caller's request, with its own target address and key, and the jobs in the responses to it. */
export interface Intent {
  readonly targetImage: string
  readonly jobIds: readonly string[]
}

/** Text that the program emitted. */
export interface Outlet {
  readonly kind: 'log' | 'answer' | 'event'
  readonly text: string
}

export interface History {
  readonly submits: readonly SubmitEntry[]
  readonly accepted: readonly Pick<AcceptedJob, 'id' | 'hookUrl' | 'targetImage' | 'state'>[]
  /** `at` is by the program's clock. */
  readonly hooks: readonly Pick<HookEntry, 'id' | 'hookUrl' | 'status' | 'at'>[]
  readonly jobs: readonly StoredJob[]
  readonly timeline: readonly StoredEntry[]
  readonly intents: readonly Intent[]
  readonly sightings: readonly Sighting[]
  readonly outlets: readonly Outlet[]
  /** Texts that must not appear in any outlet. Hook tokens are always checked. */
  readonly secrets: readonly string[]
  /** Whether the run waited for all jobs to end; unfinished jobs are then a breach. */
  readonly isSettled: boolean
}

export interface Verdict {
  readonly accepted: number
  /** Swaps that succeeded upstream and could be known, but are not SUCCESS here; each begins with the upstream id. */
  readonly lost: readonly string[]
  /** Target addresses for which more than one submit was accepted. */
  readonly chargedTwice: readonly string[]
  /** All other violations, one sentence each. */
  readonly breaches: readonly string[]
}

/** The allowed transitions, from the promises. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  PENDING: ['UNCONFIRMED', 'ON_QUEUE', 'SUCCESS', 'FAILED', 'CANCELED'],
  UNCONFIRMED: ['ON_QUEUE', 'SUCCESS', 'FAILED', 'LOST'],
  ON_QUEUE: ['SUCCESS', 'FAILED', 'LOST'],
  SUCCESS: [],
  FAILED: [],
  CANCELED: [],
  LOST: [],
}
const isFinal = (status: string) => ARROWS[status]?.length === 0

const CHARGE_STATES: Readonly<Record<string, string>> = {
  PENDING: 'PENDING',
  UNCONFIRMED: 'PENDING',
  ON_QUEUE: 'PENDING',
  SUCCESS: 'CHARGED',
  FAILED: 'NOT_CHARGED',
  CANCELED: 'NOT_CHARGED',
  LOST: 'UNKNOWN',
}

/** A hook token is a job id, a dot and this many characters of base64url. */
const MAC_CHARS = 22
/** A hook's response is recorded a little after the hook was accepted. */
const RESPONSE_TAKES_MS = 60_000
/** A failed run often has many breaches; this many are enough to find the cause. */
const MAX_BREACHES = 50

/** Compares all records. Returns violations; never throws for them. */
export function checkHistory(history: History): Verdict {
  const breaches: string[] = []
  const breach = (text: string) => {
    if (breaches.length < MAX_BREACHES) breaches.push(text)
  }
  const jobsById = new Map(history.jobs.map((job) => [job.id, job]))
  const jobsByHook = new Map(history.jobs.flatMap((job) => (job.hookAddress === null ? [] : [[job.hookAddress, job]])))
  const acceptedByHook = groupBy(history.accepted, ({ hookUrl }) => hookUrl)

  checkSubmits(history, jobsByHook, breach)
  checkOwnership(history, jobsByHook, breach)
  checkTimelines(history, jobsById, breach)
  for (const job of history.jobs) checkOutcome(job, acceptedByHook.get(job.hookAddress ?? '') ?? [], history, breach)
  checkCharges(history, breach)
  checkIntents(history, jobsById, breach)
  for (const sighting of history.sightings) checkSighting(sighting, history, breach)
  checkSecrets(history, breach)

  return {
    accepted: history.accepted.length,
    lost: findLost(history, jobsByHook),
    chargedTwice: [...groupBy(history.accepted, ({ targetImage }) => targetImage)]
      .filter(([, jobs]) => jobs.length > 1)
      .map(([targetImage]) => targetImage),
    breaches,
  }
}

type Breach = (text: string) => void

/** Each submit has a recorded job. Per job at most one submit may be accepted, and it must be the last. */
function checkSubmits({ submits }: History, jobsByHook: ReadonlyMap<string, StoredJob>, breach: Breach): void {
  for (const [targetImage, entries] of groupBy(submits, (entry) => entry.targetImage)) {
    for (const { hookUrl } of entries) {
      const job = jobsByHook.get(hookUrl)
      if (!job) breach(`a submit for ${targetImage} belongs to no recorded job`)
      else if (job.targetImage !== targetImage)
        breach(`a submit of ${job.id} sent another address than the caller requested`)
    }
    const dear = entries.findIndex(({ verdict }) => verdict !== 'refused')
    if (dear !== -1 && dear < entries.length - 1) {
      breach(`${targetImage} was sent again after a submit that may have been accepted`)
    }
  }
}

/** Each accepted job belongs to exactly one local job, and each upstream id to one. */
function checkOwnership({ accepted, jobs }: History, jobsByHook: ReadonlyMap<string, StoredJob>, breach: Breach): void {
  const owners = groupBy(
    jobs.filter((job) => job.upstreamId !== null),
    (job) => job.upstreamId ?? '',
  )
  const known = groupBy(accepted, ({ id }) => id)
  for (const [id, holders] of owners) {
    if (holders.length > 1) breach(`${id} belongs to ${holders.length} jobs`)
    const candidates = known.get(id) ?? []
    if (candidates.length === 0) breach(`${id} is unknown to the upstream`)
    for (const holder of holders) {
      if (candidates.length > 0 && !candidates.some(({ hookUrl }) => hookUrl === holder.hookAddress)) {
        breach(`${holder.id} holds ${id}, which the upstream accepted for another job`)
      }
    }
  }
  for (const { id, hookUrl } of accepted) {
    if (!jobsByHook.has(hookUrl)) breach(`${id} was accepted for a job that is not stored`)
  }
}

function checkTimelines({ jobs, timeline }: History, jobsById: ReadonlyMap<string, StoredJob>, breach: Breach): void {
  const byJob = groupBy(timeline, ({ jobId }) => jobId)
  for (const jobId of byJob.keys()) if (!jobsById.has(jobId)) breach(`a timeline without a job: ${jobId}`)
  for (const job of jobs) {
    const entries = (byJob.get(job.id) ?? []).toSorted((a, b) => a.version - b.version)
    const versions = entries.map(({ version }) => version)
    if (versions.some((version, at) => version !== at + 1)) breach(`${job.id} has versions ${versions.join(', ')}`)
    if (entries[0]?.status !== 'PENDING') breach(`${job.id} begins as ${entries[0]?.status ?? 'nothing'}`)
    for (const [at, { status }] of entries.entries()) {
      const before = entries[at - 1]
      if (before && !ARROWS[before.status]?.includes(status))
        breach(`${job.id} went from ${before.status} to ${status}`)
    }
    const last = entries.at(-1)
    if (last?.version !== job.version || last.status !== job.status) {
      breach(`${job.id} is ${job.status} (${job.version}), its timeline ends with ${last?.status} (${last?.version})`)
    }
  }
}

/** A job's outcome equals the upstream's, and no job stays unfinished. */
function checkOutcome(
  job: StoredJob,
  accepted: readonly Pick<AcceptedJob, 'id' | 'state'>[],
  { isSettled }: History,
  breach: Breach,
): void {
  if (isSettled && !isFinal(job.status)) breach(`${job.id} is still ${job.status}`)
  const own = accepted.find(({ id }) => id === job.upstreamId)
  if (job.status === 'SUCCESS' && own?.state.status !== 'SUCCESS')
    breach(`${job.id} is SUCCESS, but the upstream has no success`)
  if (job.status === 'FAILED' && accepted.length > 0 && own?.state.status !== 'FAILED') {
    breach(`${job.id} is FAILED, but the upstream accepted it and did not fail`)
  }
  if (job.status === 'CANCELED' && accepted.length > 0) breach(`${job.id} is CANCELED, but the upstream accepted it`)
}

/** The largest charge that all databases and the schema can hold; a larger one counts as missing. */
const MAX_QUOTA = 2_147_483_647

function priceOf(state: AcceptedJob['state'] | undefined): number {
  const price = Number((state?.status === 'SUCCESS' && state.quota) || QUOTA)
  return price > MAX_QUOTA ? 0 : price
}

/** Every charge fits its job's status, and the sum equals the cost of the known successes. */
function checkCharges({ jobs, accepted }: History, breach: Breach): void {
  const states = new Map(accepted.map(({ id, state }) => [id, state]))
  for (const { id, status, chargeState, chargeQuota } of jobs) {
    if (chargeState !== CHARGE_STATES[status]) breach(`${id} is ${status}, but its charge is ${chargeState}`)
    if (chargeState !== 'CHARGED' && chargeQuota !== null) breach(`${id} has a price without a charge`)
  }
  const sum = jobs.reduce((total, { chargeQuota }) => total + (chargeQuota ?? 0), 0)
  const successes = jobs.filter(({ status }) => status === 'SUCCESS')
  const due = successes.reduce((total, { upstreamId }) => total + priceOf(states.get(upstreamId ?? '')), 0)
  if (sum !== due) breach(`the charges add up to ${sum}, the successes cost ${due}`)
}

/** One key has one job, however often the request is repeated. */
function checkIntents({ intents }: History, jobsById: ReadonlyMap<string, StoredJob>, breach: Breach): void {
  for (const { targetImage, jobIds } of intents) {
    const ids = new Set(jobIds)
    if (ids.size > 1) breach(`the key for ${targetImage} created ${ids.size} jobs`)
    for (const id of ids) {
      const job = jobsById.get(id)
      if (!job) breach(`a caller received ${id}, which is not stored`)
      else if (job.targetImage !== targetImage) breach(`a caller received ${id}, which belongs to another caller`)
    }
  }
}

/** Events are stored states in order, with one final event at the end. */
function checkSighting({ jobId, events, end }: Sighting, { timeline }: History, breach: Breach): void {
  const stored = new Set(timeline.filter((entry) => entry.jobId === jobId).map((e) => `${e.version} ${e.status}`))
  for (const [at, event] of events.entries()) {
    const before = events[at - 1]
    if (event.id !== jobId) breach(`a subscriber to ${jobId} saw ${event.id}`)
    if (before && event.version < before.version)
      breach(`a subscriber to ${jobId} saw an older state after a newer one`)
    if (before?.done) breach(`a subscriber to ${jobId} saw an event after the final one`)
    if (event.done !== isFinal(event.status)) breach(`a subscriber to ${jobId} received a wrong "done"`)
    if (!stored.has(`${event.version} ${event.status}`))
      breach(`a subscriber to ${jobId} saw a state that was never stored`)
  }
  if (end === 'completed' && !events.at(-1)?.done) breach(`a subscription to ${jobId} ended without a final event`)
}

function checkSecrets({ outlets, secrets, jobs }: History, breach: Breach): void {
  const macs = new Set(jobs.flatMap(({ hookAddress }) => hookAddress?.slice(-MAC_CHARS) ?? []))
  for (const { kind, text } of outlets) {
    for (const [at, secret] of secrets.entries())
      if (text.includes(secret)) breach(`secret ${at + 1} is in a text: ${kind}`)
    for (const [, mac = ''] of text.matchAll(/\.([\w-]{22})(?![\w-])/g)) {
      if (macs.has(mac)) breach(`a hook token is in a text: ${kind}`)
    }
  }
}

/**
 * Finds lost swaps: they succeeded upstream, and the gateway could know it, but the job is not SUCCESS. The gateway can
 * know it if one of the job's hooks got a 200 before the job's deadline (a later hook is late evidence), or if the job
 * has the upstream's id and so can be fetched. Otherwise the job must be UNCONFIRMED or LOST.
 */
function findLost(
  { accepted, hooks, timeline, isSettled }: History,
  jobsByHook: ReadonlyMap<string, StoredJob>,
): string[] {
  const lostAt = new Map(timeline.filter(({ status }) => status === 'LOST').map(({ jobId, at }) => [jobId, at]))
  const isInTime = ({ hookUrl, at }: Pick<HookEntry, 'hookUrl' | 'at'>) =>
    at <= (lostAt.get(jobsByHook.get(hookUrl)?.id ?? '') ?? Infinity) + RESPONSE_TAKES_MS
  const delivered = new Set(hooks.filter((hook) => hook.status === 200 && isInTime(hook)).map(({ hookUrl }) => hookUrl))
  return accepted
    .filter(({ id, hookUrl, state }) => {
      if (state.status !== 'SUCCESS') return false
      const job = jobsByHook.get(hookUrl)
      if (job?.status === 'SUCCESS' && job.upstreamId === id) return false
      if (job && !isSettled && !isFinal(job.status)) return false
      const couldKnow = delivered.has(hookUrl) || job?.upstreamId === id
      return couldKnow || !(job?.status === 'UNCONFIRMED' || job?.status === 'LOST')
    })
    .map(({ id, hookUrl }) => {
      const job = jobsByHook.get(hookUrl)
      const hook = delivered.has(hookUrl) ? 'its hook was accepted' : 'none of its hooks was accepted'
      return `${id}: ${hook}, ${job ? `${job.id} is ${job.status}, upstream id ${job.upstreamId}` : 'no job has this id'}`
    })
}

/** Returns the upstream's records. */
export function readUpstream({
  ledger,
  accepted,
  hooks,
}: FakeUpstream): Pick<History, 'submits' | 'accepted' | 'hooks'> {
  return { submits: [...ledger], accepted: [...accepted], hooks: [...hooks] }
}

/** Reads the stored jobs and timelines directly from the database. */
export async function readStore(databaseUrl: string): Promise<Pick<History, 'jobs' | 'timeline'>> {
  return withRawDatabase(databaseUrl, async ({ query, exec }) => {
    // One snapshot for both tables: the gateway may still be writing.
    await exec(databaseUrl.startsWith('file:') ? 'begin' : 'begin isolation level repeatable read')
    const jobs = await query(
      `select id, status, version, upstream_id as "upstreamId", target_image_url as "targetImage",
       hook_address as "hookAddress", charge_state as "chargeState", charge_quota as "chargeQuota" from jobs`,
    )
    const timeline = await query('select job_id as "jobId", version, status, at from job_timeline')
    // The statements' column aliases match the types.
    return { jobs: jobs as StoredJob[], timeline: timeline as StoredEntry[] }
  })
}

/** Counts the unfinished jobs in the database; a run waits until there are none. */
export async function countUnfinished(databaseUrl: string): Promise<number> {
  const rows = await withRawDatabase(databaseUrl, async ({ query }) =>
    query(`select count(*) as n from jobs where status in ('PENDING', 'UNCONFIRMED', 'ON_QUEUE')`),
  )
  return (rows[0] as { readonly n: number }).n
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return groups
}
