import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { encodeTextFrame } from '../../../src/lib/http/web-socket-frame.ts'

test('text frames with every form of length are read correctly by a client', async () => {
  const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000]
  const bodies = [...lengths.map((length) => 'x'.repeat(length)), 'ünïcödé 🙂']
  const sockets = new WebSocketServer({ noServer: true })
  const server = createServer().on('upgrade', (request, line, head) => {
    sockets.handleUpgrade(request, line, head, () => {
      for (const body of bodies) line.write(encodeTextFrame('', Buffer.from(body), ''))
      line.write(encodeTextFrame('{"a":', Buffer.from('"ü"'), ',"id":1}'))
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const seen: string[] = []
  await new Promise<void>((resolve) => {
    client.on('message', (data: Buffer) => {
      seen.push(data.toString('utf8'))
      if (seen.length > bodies.length) resolve()
    })
  })
  client.terminate()
  server.close()
  expect(seen).toEqual([...bodies, '{"a":"ü","id":1}'])
})
