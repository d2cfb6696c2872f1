/**
 * An upstream whose every answer a test decides: a real HTTP server that speaks the reference's two calls, keeps a
 * ledger of what it was sent and what it accepted (its truth), and counts what it was asked.
 */
import { setMaxListeners } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent } from 'undici'

export const FAKE_KEY = 'fake-upstream-key'

/** A job the upstream took, whatever its caller heard of it. */
export interface AcceptedJob {
  readonly id: string
  readonly targetImage: string
  readonly swapImage: string
  readonly hookUrl: string
  state: JobState
  fetches: number
}

export type JobState =
  | { readonly status: 'ON_QUEUE' }
  | {
      readonly status: 'SUCCESS'
      readonly links?: { readonly discordImage?: string; readonly cdnImage?: string }
      /** Instead of the usual price. */
      readonly quota?: number | string
    }
  | { readonly status: 'FAILED'; readonly message?: string }

/** An answer, and how it comes over the wire; whole and at once unless `manner` says otherwise. */
export interface Answer {
  readonly status: number
  readonly body: string | Buffer
  readonly headers?: Record<string, string>
  readonly manner?:
    | { readonly kind: 'truncated'; readonly afterBytes: number }
    /** A byte at a time. */
    | { readonly kind: 'drip'; readonly everyMs: number }
    /** Followed by this many blanks, made as they are read. */
    | { readonly kind: 'endless'; readonly bytes: number }
    /** Nothing at all, ever. */
    | { readonly kind: 'hang' }
}

/** How one submit is answered. */
export type SubmitPlan =
  /** Takes the job, but does not say so: the connection is cut. */
  | { readonly kind: 'acceptAndReset' }
  /** Takes the job, waits for `until`, and answers. */
  | { readonly kind: 'acceptAfter'; readonly until: (job: AcceptedJob) => Promise<unknown> }
  /** Takes the job, and answers something else. */
  | ({ readonly kind: 'acceptAndAnswer' } & Answer)
  /** Takes nothing, and cuts the connection. */
  | { readonly kind: 'reset' }
  /** Takes nothing; waits for `until` before it answers. */
  | ({ readonly kind: 'answer'; readonly until?: () => Promise<unknown> } & Answer)

/** How one fetch is answered, instead of by the job's state. */
export type FetchPlan = Answer

/** How the hook of a job that has ended is sent. */
export interface HookPolicy {
  /** One after the other, without waiting for an answer. */
  readonly copies: number
  /** The job ends at once, and its hook is answered before the submit is. */
  readonly beforeAnswer?: boolean
  /** Sent again until it is answered with 200; otherwise a hook that fails is lost, as the upstream's are. */
  readonly untilDelivered?: boolean
  /** Instead of the job's document. */
  readonly body?: (job: AcceptedJob) => string
}

/** The life of one job. */
export interface JobScript {
  /** Instead of one of its own. */
  readonly id?: string
  readonly submit?: SubmitPlan
  /** The states it goes through, each so long after the one before it; ON_QUEUE for ever where absent. */
  readonly states?: readonly { readonly afterMs: number; readonly state: JobState }[]
  /** Once for each state but ON_QUEUE; none where absent. */
  readonly hooks?: HookPolicy
  /** Its fetches lag behind: so many after its end still say ON_QUEUE. */
  readonly lagFetches?: number
}

/** One request to /swap. */
export interface SubmitEntry {
  readonly at: number
  readonly targetImage: string
  readonly hookUrl: string
  /** `ambiguous`: nothing was taken, but the answer leaves that open. */
  readonly verdict: 'accepted' | 'refused' | 'ambiguous'
  /** What it was accepted as. */
  readonly id: string | null
}

/** One hook that was sent; status 0 where no answer came. */
export interface HookEntry {
  readonly at: number
  readonly id: string
  readonly hookUrl: string
  readonly status: number
}

export interface FakeUpstream {
  readonly url: string
  readonly port: number
  readonly accepted: readonly AcceptedJob[]
  /** Requests to /swap, answered or not. */
  readonly submits: number
  /** Each request to /swap. */
  readonly ledger: readonly SubmitEntry[]
  /** Each hook that was sent, by `sendHook` or by script. */
  readonly hooks: readonly HookEntry[]
  /** Each request to /fetch: the job it asked for, and when. */
  readonly fetched: readonly { readonly id: string; readonly at: number }[]
  /** The next submits are answered so, in turn; after that they are accepted. */
  planSubmits(...plans: SubmitPlan[]): void
  /** The next fetches, of whatever job, are answered so, in turn. */
  planFetches(...plans: FetchPlan[]): void
  /** Every submit from now on gets its script from here; `n` counts submits from 0. */
  scriptJobs(script: (submit: { readonly targetImage: string; readonly hookUrl: string }, n: number) => JobScript): void
  /** Webhooks that came to `/webhooks`, each time they did. */
  readonly webhooks: readonly { readonly id: string; readonly body: string }[]
  /** Every webhook from now on is answered with the status that this resolves to. */
  scriptWebhooks(answer: (body: string) => number | Promise<number>): void
  /** Every fetch from now on is answered by `fault` where that gives an answer; null heals. */
  failFetches(fault: ((id: string) => FetchPlan | null) | null): void
  /** Posts the job's document to its hook address; resolves to the answer's status. */
  sendHook(job: AcceptedJob, body?: string): Promise<number>
  close(): Promise<void>
}

export const DEFAULT_LINKS = {
  discordImage: 'https://discord.example.com/attachments/1/2/a_ins.jpg?ex=7fffffff&is=6621d883&hm=00&',
  cdnImage: 'https://cdn.example.com/a_ins.jpg',
}

/** What is served as every result below `/results/`: a picture of one pixel. */
const RESULT = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

/** What a job costs when it succeeds. */
export const QUOTA = 3

const FIRST_ID = 171_349_414_479_347_616n
const RESEND_HOOK_AFTER_MS = 100
const DRIP_HEADERS = { 'content-type': 'application/json' }

/** @param key the only one it takes. */
export async function openFakeUpstream(key: string = FAKE_KEY): Promise<FakeUpstream> {
  const accepted: AcceptedJob[] = []
  const byId = new Map<string, AcceptedJob>()
  // A busy system refuses some of a thousand connections that are opened at once.
  const agent = new Agent({ connections: 100 })
  const scripts = new Map<string, JobScript>()
  const ledger: SubmitEntry[] = []
  const hooks: HookEntry[] = []
  const fetched: { id: string; at: number }[] = []
  const submitPlans: SubmitPlan[] = []
  const fetchPlans: FetchPlan[] = []
  const closing = new AbortController()
  const { signal } = closing
  // One listener for each wait, and thousands of jobs may wait.
  setMaxListeners(0, signal)
  let scriptOf: Parameters<FakeUpstream['scriptJobs']>[0] = () => ({})
  let fetchFault: Parameters<FakeUpstream['failFetches']>[0] = null
  let submits = 0
  /** How many fetches of a job have lagged behind its end. */
  const lagged = new Map<string, number>()

  const sendHook = async (job: AcceptedJob, body = JSON.stringify(toDocument(job))) => {
    const status = await postHook(agent, job.hookUrl, body, signal)
    hooks.push({ at: Date.now(), id: job.id, hookUrl: job.hookUrl, status })
    return status
  }

  const sendHooks = async (job: AcceptedJob, { copies, untilDelivered = false, body }: HookPolicy) => {
    const text = body?.(job)
    const sendOne = async () => {
      for (let status = 0; !signal.aborted;) {
        status = await sendHook(job, text)
        if (status === 200 || !untilDelivered) return
        await delay(RESEND_HOOK_AFTER_MS, undefined, { signal })
      }
    }
    await Promise.all(Array.from({ length: copies }, sendOne))
  }

  const live = async (job: AcceptedJob, { states = [], hooks: policy }: JobScript) => {
    for (const { afterMs, state } of states) {
      if (afterMs > 0) await delay(afterMs, undefined, { signal })
      job.state = state
      if (policy && state.status !== 'ON_QUEUE') await sendHooks(job, policy)
    }
  }

  const accept = (request: { targetImage: string; swapImage: string; hookUrl: string }, script: JobScript) => {
    const id = script.id ?? `SWAP-FACE-${String(FIRST_ID + BigInt(accepted.length))}`
    const { targetImage, swapImage, hookUrl } = request
    const job: AcceptedJob = { id, targetImage, swapImage, hookUrl, state: { status: 'ON_QUEUE' }, fetches: 0 }
    accepted.push(job)
    // Where an id is given twice, the second job is the one that a fetch finds.
    byId.set(id, job)
    scripts.set(id, script)
    return job
  }

  const recordSubmit = (
    request: { targetImage: string; hookUrl: string },
    verdict: SubmitEntry['verdict'],
    id: string | null,
  ) => ledger.push({ at: Date.now(), targetImage: request.targetImage, hookUrl: request.hookUrl, verdict, id })

  const answerSubmit = async (request: IncomingMessage, response: ServerResponse) => {
    const input = JSON.parse(await readText(request)) as Parameters<typeof accept>[0]
    const script = scriptOf(input, submits)
    submits += 1
    const plan = submitPlans.shift() ?? script.submit
    if (plan?.kind === 'answer') {
      recordSubmit(input, isSureRefusal(plan) ? 'refused' : 'ambiguous', null)
      await plan.until?.()
      await send(response, plan, signal)
      return
    }
    if (plan?.kind === 'reset') {
      recordSubmit(input, 'ambiguous', null)
      request.socket.resetAndDestroy()
      return
    }
    const job = accept(input, script)
    recordSubmit(input, 'accepted', job.id)
    const life = live(job, script).catch(ignoreAbort)
    if (script.hooks?.beforeAnswer) await life
    if (plan?.kind === 'acceptAndReset') {
      request.socket.resetAndDestroy()
      return
    }
    if (plan?.kind === 'acceptAndAnswer') {
      await send(response, plan, signal)
      return
    }
    if (plan?.kind === 'acceptAfter') await plan.until(job)
    sendJson(response, 200, { status: 'SUCCESS', message: '', data: { jobId: job.id } })
  }

  /** What a fetch shows of a job whose fetches lag behind: its end, only after so many looks. */
  const lag = (job: AcceptedJob): AcceptedJob => {
    const seen = lagged.get(job.id) ?? 0
    if (job.state.status === 'ON_QUEUE' || seen >= (scripts.get(job.id)?.lagFetches ?? 0)) return job
    lagged.set(job.id, seen + 1)
    return { ...job, state: { status: 'ON_QUEUE' } }
  }

  const answerFetch = async (url: URL, response: ServerResponse) => {
    const id = url.searchParams.get('jobId') ?? ''
    const job = byId.get(id)
    fetched.push({ id, at: Date.now() })
    if (job) job.fetches += 1
    const plan = fetchPlans.shift() ?? fetchFault?.(id)
    if (plan) await send(response, plan, signal)
    else if (job) sendJson(response, 200, toDocument(lag(job)))
    else sendJson(response, 404, { status: 'FAILED', message: 'job not found', data: null })
  }

  /** Beside being an upstream: a receiver of what callers are told. */
  const webhooks: { id: string; body: string }[] = []
  let answerWebhook: Parameters<FakeUpstream['scriptWebhooks']>[0] = () => 204
  const takeWebhook = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = await request.toArray()
    const body = Buffer.concat(chunks).toString('utf8')
    webhooks.push({ id: String(request.headers['webhook-id']), body })
    response.writeHead(await answerWebhook(body)).end()
  }
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://fake')
    const cut = () => response.destroy()
    if (url.pathname === '/webhooks') takeWebhook(request, response).catch(cut)
    else if (url.pathname.startsWith('/results/')) response.setHeader('content-type', 'image/png').end(RESULT)
    else if (request.headers['tt-api-key'] !== key) sendJson(response, 401, { status: 'FAILED', message: 'no key' })
    else if (url.pathname === '/insightFace/v1/swap') answerSubmit(request, response).catch(cut)
    else if (url.pathname === '/insightFace/v1/fetch') answerFetch(url, response).catch(cut)
    else response.writeHead(404).end('<html>not here</html>')
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    accepted,
    ledger,
    hooks,
    fetched,
    webhooks,
    get submits() {
      return submits
    },
    planSubmits: (...plans) => {
      submitPlans.push(...plans)
    },
    planFetches: (...plans) => {
      fetchPlans.push(...plans)
    },
    scriptJobs: (script) => {
      scriptOf = script
    },
    scriptWebhooks: (answer) => {
      answerWebhook = answer
    },
    failFetches: (fault) => {
      fetchFault = fault
    },
    sendHook,
    close: async () => {
      closing.abort()
      server.closeAllConnections()
      await new Promise((resolve) => {
        server.close(resolve)
      })
      await agent.destroy()
    },
  }
}

/** The document of fetch and hook, as the reference prints it. */
export function toDocument(job: AcceptedJob): object {
  const head = { status: job.state.status, message: null, jobId: job.id }
  if (job.state.status === 'ON_QUEUE') return { ...head, data: null }
  if (job.state.status === 'FAILED') return { ...head, message: job.state.message ?? null, data: null }
  const { id, targetImage, swapImage, hookUrl, state } = job
  const links = state.links ?? DEFAULT_LINKS
  return { ...head, data: { jobId: id, targetImage, swapImage, ...links, hookUrl, quota: state.quota ?? QUOTA } }
}

/** Whether the answer says for certain that no job was made (upstream contract, "HTTP codes"). */
function isSureRefusal({ status, body, manner }: Answer): boolean {
  if (manner) return false
  if (status >= 400 && status < 500) return true
  return status === 200 && /"status":\s*"FAILED"/.test(body.toString())
}

async function postHook(agent: Agent, url: string, body: string, signal: AbortSignal): Promise<number> {
  try {
    const { origin, pathname } = new URL(url)
    const { statusCode, body: answer } = await agent.request({
      origin,
      path: pathname,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      signal,
    })
    await answer.dump()
    return statusCode
  } catch {
    // Refused, reset or cut: the upstream never learns whether its hook arrived.
    return 0
  }
}

async function send(response: ServerResponse, answer: Answer, signal: AbortSignal): Promise<void> {
  const { status, headers, body, manner } = answer
  const bytes = Buffer.from(body)
  switch (manner?.kind) {
    case undefined:
      response.writeHead(status, headers).end(bytes)
      return
    case 'hang':
      return
    case 'truncated':
      response.writeHead(status, { ...headers, 'content-length': bytes.length })
      response.write(bytes.subarray(0, manner.afterBytes), () => response.destroy())
      return
    case 'drip':
      response.writeHead(status, { ...DRIP_HEADERS, ...headers })
      for (const byte of bytes) {
        if (response.destroyed) return
        response.write(Buffer.of(byte))
        await delay(manner.everyMs, undefined, { signal })
      }
      response.end()
      return
    case 'endless': {
      response.writeHead(status, { ...headers, 'content-length': bytes.length + manner.bytes })
      response.write(bytes)
      const blanks = Buffer.alloc(64 * 1_024, ' ')
      for (let left = manner.bytes; left > 0 && !response.destroyed; left -= blanks.length) {
        if (!response.write(blanks.subarray(0, Math.min(left, blanks.length)))) await drained(response)
      }
      response.end()
    }
  }
}

/** Resolves when more can be written, or when nobody reads any more. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error && error.name === 'AbortError')) throw error
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
