/** Connections that do not authenticate. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { listen } from '../../src/app/http-server.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { until } from '../support/until.ts'

async function openServer(route: Parameters<typeof listen>[1]) {
  const webSockets = { path: '/graphql', refuseUpgrade: () => null, upgrade: () => 101 }
  const server = await listen({ host: '127.0.0.1', port: 0 }, route, webSockets, { unauthenticatedMs: 300 })
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

/** Waits for the end of a connection; unread bytes may turn an orderly close into a reset. */
async function ended(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise((resolve) => void socket.once('close', resolve))
}

/** Waits until the server has closed a later, silent connection. */
async function outlast({ port }: { readonly port: number }): Promise<void> {
  const later = connect(port, '127.0.0.1')
  later.on('error', () => null)
  await ended(later)
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

test('an unauthenticated connection is closed after a time limit, however much it sends', async () => {
  const { socket } = await openServer((_request, response) => response.end('hello'))
  const asking = setInterval(() => socket.write(REQUEST), 50)
  await ended(socket)
  clearInterval(asking)
  expect(socket.destroyed).toBe(true)
})

test('an unauthenticated connection is not closed in the middle of a response', async () => {
  const responses: ServerResponse[] = []
  const { server, socket, heard } = await openServer((_request, response) => responses.push(response))
  socket.write(REQUEST)
  await until(() => responses.length === 1)
  await outlast(server)
  responses[0]?.end('a late answer')
  await ended(socket)
  expect(heard()).toContain('a late answer')
})

test('a connection is closed after the response that was in progress when the server closed', async () => {
  const responses: ServerResponse[] = []
  const { server, socket, heard } = await openServer((_request, response) => responses.push(response))
  const other = connect(server.port, '127.0.0.1')
  closeAfterTest(() => {
    other.destroy()
  })
  for (const connection of [socket, other]) connection.write(REQUEST)
  await until(() => responses.length === 2)
  void server.close()
  const answered = responses.find(({ req }) => req.socket.remotePort === socket.localPort)
  answered?.end('an answer')
  await ended(socket)
  expect(heard()).toMatch(/^Connection: close\r$/m)
  expect(other.closed).toBe(false)
  for (const response of responses) response.end()
})

test('an authenticated connection stays open beyond the time limit', async () => {
  const { server, socket, heard } = await openServer((request, response) => {
    server.markAuthenticated(request.socket)
    response.end('hello')
  })
  socket.write(REQUEST)
  await once(socket, 'data')
  await outlast(server)
  socket.write(REQUEST)
  await once(socket, 'data')
  expect(heard().match(/hello/g)).toHaveLength(2)
})
