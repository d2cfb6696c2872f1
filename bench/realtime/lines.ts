/** One client that watches one job at a time: what all scenarios of watching ask of a wire. */
import { Agent, type ClientRequest, request } from 'node:http'
import { connectClient, watchJob } from './clients.ts'

export interface Line {
  /** Resolves with the state now. */
  watch(jobId: string): Promise<void>
  /** Called with each event after the state now, and with the end: as they came over the wire, and when. */
  onEvent: (text: string, at: number) => void
  onEnd: (text: string) => void
  /** The execution result that an event carries. */
  readonly resultOf: (text: string) => unknown
  /** What both become when they are sent together. */
  readonly join: (texts: readonly string[]) => string
  close(): void
}

export type OpenLine = (url: string) => Promise<Line>

/** Over WebSocket, with the graphql-transport-ws protocol. */
export async function openSocketLine(url: string): Promise<Line> {
  const client = await connectClient(url)
  let isNow = true
  let watched = 0
  const line: Line = {
    onEvent: () => {},
    onEnd: () => {},
    resultOf: (text) => (JSON.parse(text) as { readonly payload: unknown }).payload,
    join: (texts) => texts.join('\n'),
    watch: async (jobId) => {
      isNow = true
      watched += 1
      await client.subscribe(`w${watched}`, watchJob(jobId))
    },
    close: () => client.socket.terminate(),
  }
  client.onNext = (_id, text, at) => {
    if (!isNow) line.onEvent(text, at)
    isNow = false
  }
  client.onComplete = (_id, text) => line.onEnd(text)
  return line
}

const END_OF_EVENT = '\n\n'
const STREAM_HEADERS = { accept: 'text/event-stream', 'content-type': 'application/json' }

/** Over SSE, with graphql-sse's distinct connections: each watch is a request of its own on the same connection. */
export async function openStreamLine(url: string): Promise<Line> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  let current: ClientRequest | null = null
  const line: Line = {
    onEvent: () => {},
    onEnd: () => {},
    resultOf: (text) => JSON.parse(text.slice(text.indexOf('{'))),
    join: (texts) => texts.map((text) => `${text}${END_OF_EVENT}`).join(''),
    watch: async (jobId) =>
      new Promise((resolve, reject) => {
        let isNow = true
        let rest = ''
        const hear = (text: string, at: number) => {
          if (text.startsWith('event: complete')) line.onEnd(text)
          else if (!text.startsWith('event: next')) return
          else if (!isNow) line.onEvent(text, at)
          isNow = false
          resolve()
        }
        current = request(`${url}/graphql`, { method: 'POST', agent, headers: STREAM_HEADERS }, (response) => {
          response.setEncoding('utf8').on('data', (chunk: string) => {
            const at = performance.now()
            const events = `${rest}${chunk}`.split(END_OF_EVENT)
            rest = events.pop() ?? ''
            for (const event of events) hear(event, at)
          })
          // Cut when the line is closed; whoever still waits hears of it.
          response.on('error', reject)
          response.once('close', () => reject(new Error('the stream has ended')))
        })
        current.on('error', reject)
        current.end(JSON.stringify(watchJob(jobId)))
      }),
    close: () => {
      current?.destroy()
      agent.destroy()
    },
  }
  return line
}
