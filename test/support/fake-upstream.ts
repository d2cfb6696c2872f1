/**
 * Scripted fake upstream: a real HTTP server with the reference's two calls. A test decides every response. The server
 * records all submits, accepted jobs, fetches and hooks; this ledger is the truth that tests compare with.
 */
import { setMaxListeners } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent } from 'undici'

export const FAKE_KEY = 'fake-upstream-key'

/** A job that the upstream accepted, even if the response was lost. */
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
      /** Overrides the usual price. */
      readonly quota?: number | string
    }
  | { readonly status: 'FAILED'; readonly message?: string }

/** A response, and how it is sent: whole and at once unless `manner` is set. */
export interface Answer {
  readonly status: number
  readonly body: string | Buffer
  readonly headers?: Record<string, string>
  readonly manner?:
    | { readonly kind: 'truncated'; readonly afterBytes: number }
    /** One byte at a time. */
    | { readonly kind: 'drip'; readonly everyMs: number }
    /** Followed by this many spaces, generated as the client reads. */
    | { readonly kind: 'endless'; readonly bytes: number }
    /** Never responds. */
    | { readonly kind: 'hang' }
}

/** Answer to one submit. */
export type SubmitPlan =
  /** Accepts the job, and resets the connection without a response. */
  | { readonly kind: 'acceptAndReset' }
  /** Accepts the job, waits for `until`, and responds. */
  | { readonly kind: 'acceptAfter'; readonly until: (job: AcceptedJob) => Promise<unknown> }
  /** Accepts the job, and sends another response. */
  | ({ readonly kind: 'acceptAndAnswer' } & Answer)
  /** Accepts nothing, and resets the connection. */
  | { readonly kind: 'reset' }
  /** Accepts nothing; waits for `until` before it responds. */
  | ({ readonly kind: 'answer'; readonly until?: () => Promise<unknown> } & Answer)

/** Answer to one fetch, in place of the job's document. */
export type FetchPlan = Answer

/** How the hook of a finished job is sent. */
export interface HookPolicy {
  /** Number of copies, sent without waiting for a response. */
  readonly copies: number
  /** The job ends at once, and its hook is delivered before the response to its submit. */
  readonly beforeAnswer?: boolean
  /** Retry until the response is 200. Otherwise a failed hook is lost, as with the real upstream. */
  readonly untilDelivered?: boolean
  /** Overrides the job's document. */
  readonly body?: (job: AcceptedJob) => string
}

/** Script of one job. */
export interface JobScript {
  /** Overrides the generated id. */
  readonly id?: string
  readonly submit?: SubmitPlan
  /** The job's states, each `afterMs` after the one before; ON_QUEUE forever if absent. */
  readonly states?: readonly { readonly afterMs: number; readonly state: JobState }[]
  /** Applies to each state except ON_QUEUE; no hooks if absent. */
  readonly hooks?: HookPolicy
  /** Number of fetches after the job's end that still return ON_QUEUE. */
  readonly lagFetches?: number
}

/** One request to /swap. */
export interface SubmitEntry {
  readonly at: number
  readonly targetImage: string
  readonly hookUrl: string
  /** `ambiguous`: nothing was accepted, but the response does not say so. */
  readonly verdict: 'accepted' | 'refused' | 'ambiguous'
  /** The id of the accepted job; null if none was accepted. */
  readonly id: string | null
}

/** One sent hook; status 0 if no response came. */
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
  /** Number of requests to /swap, with or without a response. */
  readonly submits: number
  /** Each request to /swap. */
  readonly ledger: readonly SubmitEntry[]
  /** Each hook that was sent, by `sendHook` or by script. */
  readonly hooks: readonly HookEntry[]
  /** Each request to /fetch: the job's id, and the time. */
  readonly fetched: readonly { readonly id: string; readonly at: number }[]
  /** The headers of each request to /swap and /fetch. */
  readonly heads: readonly IncomingHttpHeaders[]
  /** Sets the responses to the next submits, in order; later submits are accepted. */
  planSubmits(...plans: SubmitPlan[]): void
  /** Sets the responses to the next fetches of any job, in order. */
  planFetches(...plans: FetchPlan[]): void
  /** Sets the responses to later submits; `n` is the number of the submit, from 0. */
  scriptJobs(script: (submit: { readonly targetImage: string; readonly hookUrl: string }, n: number) => JobScript): void
  /** Every delivery to `/webhooks`. */
  readonly webhooks: readonly { readonly id: string; readonly body: string }[]
  /** Sets the status of the responses to later webhooks. */
  scriptWebhooks(answer: (body: string) => number | Promise<number>): void
  /** Responds to later fetches with `fault` if it returns a response; null removes the fault. */
  failFetches(fault: ((id: string) => FetchPlan | null) | null): void
  /** Posts the job's document to its hook address; resolves to the status of the response. */
  sendHook(job: AcceptedJob, body?: string): Promise<number>
  close(): Promise<void>
}

export const DEFAULT_LINKS = {
  discordImage: 'https://discord.example.com/attachments/1/2/a_ins.jpg?ex=7fffffff&is=6621d883&hm=00&',
  cdnImage: 'https://cdn.example.com/a_ins.jpg',
}

/** Served for every result below `/results/`: an image of one pixel. */
const RESULT = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

/** Cost of a successful job. */
export const QUOTA = 3

const FIRST_ID = 171_349_414_479_347_616n
const RESEND_HOOK_AFTER_MS = 100
const DRIP_HEADERS = { 'content-type': 'application/json' }

/** @param key the only accepted key. */
export async function openFakeUpstream(key: string = FAKE_KEY): Promise<FakeUpstream> {
  const accepted: AcceptedJob[] = []
  const byId = new Map<string, AcceptedJob>()
  // A busy system refuses some of a thousand simultaneous connections.
  const agent = new Agent({ connections: 100 })
  const scripts = new Map<string, JobScript>()
  const ledger: SubmitEntry[] = []
  const hooks: HookEntry[] = []
  const fetched: { id: string; at: number }[] = []
  const heads: IncomingHttpHeaders[] = []
  const submitPlans: SubmitPlan[] = []
  const fetchPlans: FetchPlan[] = []
  const closing = new AbortController()
  const { signal } = closing
  // Each wait adds a listener, and thousands of jobs may wait.
  setMaxListeners(0, signal)
  let scriptOf: Parameters<FakeUpstream['scriptJobs']>[0] = () => ({})
  let fetchFault: Parameters<FakeUpstream['failFetches']>[0] = null
  let submits = 0
  /** Number of fetches per job that have returned ON_QUEUE after its end. */
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
    // If an id is assigned twice, a fetch finds the second job.
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

  /** Returns the job as a fetch shows it: its end only after `lagFetches` fetches. */
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

  /** The server also receives the gateway's webhooks. */
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
    if (url.pathname.startsWith('/insightFace/')) heads.push(request.headers)
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
    heads,
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

/** Returns the document of fetch and hook, as in the reference. */
export function toDocument(job: AcceptedJob): object {
  const head = { status: job.state.status, message: null, jobId: job.id }
  if (job.state.status === 'ON_QUEUE') return { ...head, data: null }
  if (job.state.status === 'FAILED') return { ...head, message: job.state.message ?? null, data: null }
  const { id, targetImage, swapImage, hookUrl, state } = job
  const links = state.links ?? DEFAULT_LINKS
  return { ...head, data: { jobId: id, targetImage, swapImage, ...links, hookUrl, quota: state.quota ?? QUOTA } }
}

/** Returns whether the response proves that no job was created (upstream contract, "HTTP codes"). */
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
    // After a refused or broken connection, the upstream cannot know whether its hook arrived.
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

/** Resolves when more can be written, or when the connection closes. */
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
