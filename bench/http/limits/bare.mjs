/** Lower limit of requests without I/O: reads the request, and sends the same bytes as the gateway. */
import { createServer } from 'node:http'
import { listen } from '../listen.mjs'
import { setup } from '../setup.mjs'

const { status, body } = setup.answer
const headers = { ...setup.answer.headers, 'content-length': Buffer.byteLength(body) }

const server = createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    // Node then sends head and body in one write.
    response.writeHead(status, headers)
    response.end(body)
  })
})
listen(server)
