/** A client that watches one job at a time, over either transport. */
import { Agent, type ClientRequest, request } from 'node:http'
import { connectClient, watchJob } from './clients.ts'

export interface Line {
  /** Subscribes; resolves when the current state arrives. */
  watch(jobId: string): Promise<void>
  /** Called with each later event and with the end, as received, and with the arrival time. */
  onEvent: (text: string, at: number) => void
  onEnd: (text: string) => void
  /** Returns the execution result in an event. */
  readonly resultOf: (text: string) => unknown
  /** Joins messages as a server sends them together. */
  readonly join: (texts: readonly string[]) => string
  close(): void
}

export type OpenLine = (url: string) => Promise<Line>

/** Opens a WebSocket client with the graphql-transport-ws protocol. */
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

/** Opens an SSE client in graphql-sse's distinct connections mode: each watch is a request on the same connection. */
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
          // Closing the line cuts the response, which rejects a pending watch.
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
