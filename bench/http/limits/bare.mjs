/** The limit of what needs nobody: reads the request, and sends the bytes that the gateway sent. */
import { createServer } from 'node:http'
import { listen } from '../listen.mjs'
import { setup } from '../setup.mjs'

const { status, body } = setup.answer
const headers = { ...setup.answer.headers, 'content-length': Buffer.byteLength(body) }

const server = createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    // Head and body go in one write.
    response.writeHead(status, headers)
    response.end(body)
  })
})
listen(server)
