/** A bare `node:http` server: reads a body and responds with a text. */
import { createServer } from 'node:http'
import { listen } from '../listen.mjs'
import { setup } from '../setup.mjs'

const { status, headers } = setup.answer

/** @param {(body: string) => Promise<string>} answer returns the response's text, sent with the gateway's headers. */
export function serve(answer) {
  const server = createServer((request, response) => {
    const send = async (/** @type {Buffer[]} */ chunks) => {
      const text = await answer(Buffer.concat(chunks).toString('utf8'))
      // With a length, Node sends head and body in one write.
      response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(text) })
      response.end(text)
    }
    /** @type {Buffer[]} */
    const chunks = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => void send(chunks))
  })
  listen(server)
}
