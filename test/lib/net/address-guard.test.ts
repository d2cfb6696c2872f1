import { createServer, connect, type Server, type Socket } from 'node:net'

import { afterEach, describe, expect, test } from 'vitest'

import {
  AddressRefusedError,
  createAddressGuard,
  createGuardedConnector,
  type AddressGuard,
} from '../../../src/lib/net/address-guard.ts'
import { createClosers } from '../../../src/lib/async/closers.ts'

const closers = createClosers()
afterEach(() => closers.closeAll())

const REFUSED_URLS = [
  // loopback, however it is written
  'http://127.0.0.1/',
  'http://127.0.0.1:80/',
  'http://127.1/',
  'http://127.0.1/',
  'http://127.255.255.254/',
  'http://2130706433/',
  'http://0x7f000001/',
  'http://0x7f.0.0.1/',
  'http://0x7F.0x0.0x0.0x1/',
  'http://0177.0.0.1/',
  'http://017700000001/',
  'http://0177.0x0.1/',
  'http://127.0.0.1./',
  'http://2130706433./',
  'http://%31%32%37.0.0.1/',
  'http://127%2e0%2e0%2e1/',
  'http://１２７.０.０.１/',
  'http://127。0。0。1/',
  'http://①②⑦.0.0.1/',
  'http://user:secret@127.0.0.1/',
  'http://example.com@127.0.0.1/',
  'http://example.com:80@127.0.0.1/',
  'http:\\\\127.0.0.1\\',
  'http:127.0.0.1',
  'https://127.0.0.1/',
  'http://localhost/',
  'http://LOCALHOST/',
  'http://localhost./',
  'http://a.localhost/',
  'http://[::1]/',
  'http://[0:0:0:0:0:0:0:1]/',
  'http://[0000::0001]/',
  // "this host"
  'http://0/',
  'http://0.0.0.0/',
  'http://0.1.2.3/',
  'http://[::]/',
  // private
  'http://10.0.0.1/',
  'http://10.255.255.255/',
  'http://167772161/',
  'http://012.0.0.1/',
  'http://172.16.0.1/',
  'http://172.31.255.255/',
  'http://192.168.0.1/',
  'http://0xc0a80001/',
  'http://192.168.1/',
  'http://[fc00::1]/',
  'http://[fd12:3456:789a::1]/',
  'http://[fec0::1]/',
  // shared, link-local, metadata
  'http://100.64.0.1/',
  'http://100.127.255.255/',
  'http://100.100.100.200/latest/meta-data/',
  'http://169.254.169.254/latest/meta-data/',
  'http://169.254.1/',
  'http://2852039166/',
  'http://0xa9fea9fe/',
  'http://168.63.129.16/',
  'http://192.0.0.192/',
  'http://[fd00:ec2::254]/',
  'http://[fe80::1]/',
  'http://[febf::1]/',
  // multicast, reserved, documentation, benchmarking, relays
  'http://224.0.0.1/',
  'http://239.255.255.255/',
  'http://[ff02::1]/',
  'http://240.0.0.1/',
  'http://255.255.255.255/',
  'http://4294967295/',
  'http://192.0.2.1/',
  'http://198.51.100.7/',
  'http://203.0.113.9/',
  'http://198.18.0.1/',
  'http://198.19.255.255/',
  'http://192.88.99.1/',
  'http://[2001:db8::1]/',
  'http://[3fff::1]/',
  'http://[100::1]/',
  'http://[5f00::1]/',
  // an IPv4 address inside an IPv6 one
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[::FFFF:10.0.0.1]/',
  'http://[0:0:0:0:0:ffff:169.254.169.254]/',
  'http://[::ffff:0:127.0.0.1]/',
  'http://[::127.0.0.1]/',
  'http://[64:ff9b::127.0.0.1]/',
  'http://[64:ff9b::a9fe:a9fe]/',
  'http://[64:ff9b:1::10.0.0.1]/',
  'http://[2002:7f00:1::]/',
  'http://[2002:a9fe:a9fe::1]/',
  'http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/',
  'http://[2001::1]/',
  // other schemes
  'ftp://example.com/',
  'file:///etc/passwd',
  'gopher://example.com/',
  'data:image/png;base64,AA==',
  'javascript:0',
  'ws://example.com/',
  'unix:/run/docker.sock',
  // a password, names of no public host, ports of other protocols
  'https://user:secret@example.com/',
  'https://user@example.com/',
  'http://redis:6379/',
  'http://intranet/',
  'http://printer.local/',
  'http://metadata.google.internal/computeMetadata/v1/',
  'http://metadata.google.internal./',
  'http://nas.home.arpa/',
  'http://build.corp/',
  'http://example.com:22/',
  'http://example.com:25/',
  'https://example.com:6667/',
  'http://1.1.1.1:6000/',
  // this machine
  'http://9.9.9.10/',
  'http://[2606:4700::99]/',
  'http://[::ffff:9.9.9.10]/',
]

const PASSED_URLS = [
  'http://1.1.1.1/',
  'https://8.8.8.8:8443/a?b=c',
  'http://134744072/',
  'http://9.255.255.255/',
  'http://11.0.0.0/',
  'http://100.63.255.255/',
  'http://100.128.0.0/',
  'http://126.255.255.255/',
  'http://128.0.0.1/',
  'http://169.253.255.255/',
  'http://172.15.255.255/',
  'http://172.32.0.0/',
  'http://192.167.255.255/',
  'http://198.17.255.255/',
  'http://198.20.0.0/',
  'http://223.255.255.255/',
  'http://[2606:4700:4700::1111]/',
  'http://[2001:4860:4860::8888]/',
  'http://[2a00:1450:4001:81b::200e]/',
  'http://[::ffff:8.8.8.8]/',
  'http://[64:ff9b::8.8.8.8]/',
  'https://example.com/a.jpg',
  'https://example.com:8443/',
  'http://example.com:3000/',
  'https://xn--bcher-kva.example/',
  'https://127.0.0.1.example.com/',
  'https://localhost.example.com/',
]

const ownAddresses = () => ['9.9.9.10', '2606:4700:0::0099']

describe('the address guard', () => {
  test.each(REFUSED_URLS)('refuses %s', (url) => {
    const guard = createAddressGuard({ allowedHosts: [], ownAddresses })
    expect(() => guard.checkUrl(new URL(url))).toThrow(AddressRefusedError)
  })

  test.each(PASSED_URLS)('accepts %s', (url) => {
    const guard = createAddressGuard({ allowedHosts: [], ownAddresses })
    expect(() => guard.checkUrl(new URL(url))).not.toThrow()
  })

  test.each(['http://[fe80::1%25eth0]/', 'http://[fe80::1%eth0]/', 'http://[127.0.0.1]/', 'http://256.1.1.1/'])(
    'is never called for %s, which is not a URL',
    (url) => {
      expect(URL.canParse(url)).toBe(false)
    },
  )

  test.each(['fe80::1%eth0', '::1%lo', '', 'example.com', '127.0.0.1, 8.8.8.8', '8.8.8.8/32', '8.8.8'])(
    'permits no connection to "%s"',
    (address) => {
      const guard = createAddressGuard({ allowedHosts: [], ownAddresses })
      expect(guard.permits('example.com', 80, address)).toBe(false)
    },
  )
})

test.each([
  ['ftp://example.com/', 'SCHEME'],
  ['https://user@example.com/', 'CREDENTIALS'],
  ['https://example.com:81/', 'PORT'],
  ['http://10.0.0.1:81/', 'HOST'],
])('the address guard refuses %s with the reason %s', (url, reason) => {
  const guard = createAddressGuard({ allowedHosts: [], ownAddresses })
  expect(() => guard.checkUrl(new URL(url))).toThrow(expect.objectContaining({ reason }))
})

describe('an allowed host', () => {
  test.each([
    ['127.0.0.1:4010', 'http://127.0.0.1:4010/portraits/ada.jpg', true],
    ['127.0.0.1:4010', 'http://2130706433:4010/', true],
    ['127.0.0.1:4010', 'http://127.0.0.1:4011/', false],
    ['127.0.0.1:4010', 'http://127.0.0.1/', false],
    ['127.0.0.1:4010', 'http://127.0.0.2:4010/', false],
    ['127.0.0.1:4010', 'http://localhost:4010/', true],
    ['127.0.0.1:4010', 'http://LOCALHOST:4010/', true],
    ['127.0.0.1:4010', 'http://localhost:4011/', false],
    ['127.0.0.1:4010', 'http://localhost.:4010/', false],
    ['127.0.0.1:4010', 'http://a.localhost:4010/', false],
    ['127.0.0.2:4010', 'http://localhost:4010/', false],
    ['[::1]:4010', 'http://localhost:4010/', true],
    ['localhost:4010', 'http://127.0.0.1:4010/', false],
    ['127.0.0.1:4010', 'http://[::ffff:127.0.0.1]:4010/', false],
    ['127.0.0.1:4010', 'ftp://127.0.0.1:4010/', false],
    ['127.0.0.1:80', 'http://127.0.0.1/', true],
    ['127.0.0.1:443', 'https://127.0.0.1/', true],
    ['127.0.0.1:443', 'http://127.0.0.1/', false],
    ['10.0.0.7', 'http://10.0.0.7:9000/', true],
    ['localhost', 'http://localhost:1234/', true],
    ['LocalHost:1234', 'http://localhost:1234/', true],
    ['localhost', 'http://localhost./', false],
    ['localhost', 'http://a.localhost/', false],
    ['[::1]:4010', 'http://[::1]:4010/', true],
    ['[0:0::1]:4010', 'http://[::1]:4010/', true],
    ['[::1]', 'http://[::1]:4010/', true],
    ['[::1]:4010', 'http://[::1]/', false],
  ])('%s accepts %s: %s', (allowed, url, passes) => {
    const guard = createAddressGuard({ allowedHosts: [allowed], ownAddresses })
    expect(isPassed(guard, url)).toBe(passes)
  })

  test('that is a name may resolve to a private address; other names may not', () => {
    const guard = createAddressGuard({ allowedHosts: ['minio:9000'] })
    expect(guard.permits('minio', 9000, '10.1.2.3')).toBe(true)
    expect(guard.permits('minio', 9001, '10.1.2.3')).toBe(false)
    expect(guard.permits('example.com', 9000, '10.1.2.3')).toBe(false)
  })

  test('that is a loopback address permits connections to localhost at that address only', async () => {
    const { port } = await openListener()
    let asked = 0
    const guard = createAddressGuard({
      allowedHosts: [`127.0.0.1:${port}`],
      resolve: (_, resolved) => {
        asked += 1
        resolved(null, [{ address: '::1', family: 6 }])
      },
    })
    const socket = await connectGuarded(guard, 'localhost', port)
    expect([socket.remoteAddress, asked]).toEqual(['127.0.0.1', 0])
    socket.destroy()
    expect(guard.permits('localhost', port, '::1')).toBe(false)
    expect(guard.permits('localhost', port, '10.0.0.1')).toBe(false)
  })

  test.each(['', 'http://127.0.0.1', '127.0.0.1/', '*', 'a b', '127.0.0.1:', '::1', 'host:port', 'a@b'])(
    'written as "%s" is refused with a TypeError',
    (entry) => {
      expect(() => createAddressGuard({ allowedHosts: [entry] })).toThrow(TypeError)
    },
  )
})

describe('a guarded connector', () => {
  test('never connects to an IP literal that is not allowed', async () => {
    const { port, accepted } = await openListener()
    const guard = createAddressGuard({ allowedHosts: [] })
    await expect(connectGuarded(guard, '127.0.0.1', port)).rejects.toThrow(AddressRefusedError)
    expect(accepted()).toBe(0)
  })

  test('never connects to a name with a private address, even if it has a public one as well', async () => {
    const { port, accepted } = await openListener()
    for (const addresses of [['127.0.0.1'], ['93.184.216.34', '127.0.0.1'], ['::ffff:127.0.0.1']]) {
      const guard = createAddressGuard({
        allowedHosts: [],
        resolve: (_, resolved) =>
          resolved(
            null,
            addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
          ),
      })
      // oxlint-disable-next-line no-await-in-loop
      await expect(connectGuarded(guard, 'rebinding.example', port)).rejects.toThrow(AddressRefusedError)
    }
    expect(accepted()).toBe(0)
  })

  test('resolves a name once, and connects to the answer that it checked', async () => {
    const { port } = await openListener()
    let asked = 0
    const guard = createAddressGuard({
      allowedHosts: [`portraits.example:${port}`],
      resolve: (_, resolved) => {
        asked += 1
        resolved(null, [{ address: '127.0.0.1', family: 4 }])
      },
    })
    const socket = await connectGuarded(guard, 'portraits.example', port)
    expect(socket.remoteAddress).toBe('127.0.0.1')
    expect(asked).toBe(1)
    socket.destroy()
  })

  test('closes a connection whose peer is not an address of the name', async () => {
    const { port } = await openListener()
    const guard = createAddressGuard({ allowedHosts: [] })
    await expect(connectGuarded(guard, 'example.com', 80, port)).rejects.toThrow(AddressRefusedError)
  })

  test('passes on the error for an unknown name', async () => {
    const missing = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' })
    const guard = createAddressGuard({ allowedHosts: [], resolve: (_, resolved) => resolved(missing, []) })
    await expect(connectGuarded(guard, 'nowhere.example', 80)).rejects.toMatchObject({ code: 'ENOTFOUND' })
  })
})

function isPassed(guard: AddressGuard, url: string): boolean {
  try {
    guard.checkUrl(new URL(url))
    return true
  } catch {
    return false
  }
}

/** Connects as an HTTP client's pool does. */
function connectGuarded(guard: AddressGuard, hostname: string, port: number, peer?: number) {
  const guarded = createGuardedConnector(guard, (lookup) => (target, connected) => {
    const to = peer === undefined ? { host: target.hostname, port: Number(target.port), lookup } : { port: peer }
    const socket: Socket = connect(to)
    socket.once('connect', () => connected(null, socket)).once('error', (error) => connected(error, null))
  })
  return new Promise<Socket>((resolve, reject) => {
    guarded({ hostname, port: String(port), protocol: 'http:' }, (error, socket) => {
      if (error) reject(error)
      else resolve(socket)
    })
  })
}

async function openListener(): Promise<{ port: number; server: Server; accepted: () => number }> {
  let accepted = 0
  const server = createServer((socket) => {
    accepted += 1
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.add(() => new Promise((resolve) => server.close(() => resolve())))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { port: address.port, server, accepted: () => accepted }
}
