// Lower limit of image delivery: a bare server that streams one file with the required headers.
import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { pipeline } from 'node:stream'

const file = process.env['FILE'] ?? ''
const { size } = statSync(file)
const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': size })
  pipeline(createReadStream(file), response, () => undefined)
}).listen(0, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${server.address().port}\n`)
})
