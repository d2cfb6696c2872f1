/** Connections of peers who do not show who they are. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { listen } from '../src/server.ts'
import { closeAfterTest } from './support/test-app.ts'

async function openServer(route: Parameters<typeof listen>[1]) {
  const webSockets = { path: '/graphql', refuseUpgrade: () => null, upgrade: () => undefined }
  const server = await listen({ host: '127.0.0.1', port: 0 }, route, webSockets, 300)
  closeAfterTest(() => server.close())
  const socket = connect(server.port, '127.0.0.1')
  closeAfterTest(() => {
    socket.destroy()
  })
  let text = ''
  socket.on('data', (data) => {
    text += data.toString()
  })
  socket.on('error', () => null)
  return { server, socket, heard: () => text }
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

test('a stranger’s connection ends after a while, however much it says', async () => {
  const { socket } = await openServer((_request, response) => response.end('hello'))
  const asking = setInterval(() => socket.write(REQUEST), 50)
  await once(socket, 'close')
  clearInterval(asking)
  expect(socket.destroyed).toBe(true)
})

test('but not in the middle of an answer', async () => {
  const { socket, heard } = await openServer((_request, response) => {
    setTimeout(() => response.end('a late answer'), 600)
  })
  socket.write(REQUEST)
  await once(socket, 'close')
  expect(heard()).toContain('a late answer')
})

test('somebody who is known stays', async () => {
  const { server, socket, heard } = await openServer((request, response) => {
    server.welcome(request.socket)
    response.end('hello')
  })
  socket.write(REQUEST)
  await once(socket, 'data')
  await new Promise((resolve) => {
    setTimeout(resolve, 500)
  })
  socket.write(REQUEST)
  await once(socket, 'data')
  expect(heard().match(/hello/g)).toHaveLength(2)
})
