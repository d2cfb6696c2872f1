import { readFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { createClosers } from '../../../src/lib/async/closers.ts'
import { createPortraitRoutes } from '../src/portrait-routes.ts'
import { PORTRAIT_NAMES } from '../src/portraits.ts'
import { openRestServer } from '../src/rest-server.ts'

const closers = createClosers()
afterEach(() => closers.closeAll())

async function openShelf(): Promise<string> {
  const server = await openRestServer('127.0.0.1', 0, () => undefined)
  closers.add(() => server.close())
  server.serve(createPortraitRoutes(server.url))
  return server.url
}

test('the portrait routes list portraits by name and address, and every address serves its picture', async () => {
  const url = await openShelf()
  const list = await (await fetch(`${url}/portraits`)).json()
  expect(list).toEqual(PORTRAIT_NAMES.map((name) => ({ name, url: `${url}/portraits/${name}.jpg` })))
  for (const name of PORTRAIT_NAMES) {
    const answer = await fetch(`${url}/portraits/${name}.jpg`)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'image/jpeg'])
    const picture = Buffer.from(await answer.arrayBuffer())
    expect(picture.equals(readFileSync(`packages/swapface/portraits/${name}.jpg`)), name).toBe(true)
  }
})

test.each(['unknown.jpg', '..%2fada.jpg', 'ada.png', ''])(
  'the portrait routes return 404 with the list of names for /portraits/%s',
  async (path) => {
    const answer = await fetch(`${await openShelf()}/portraits/${path}`)
    expect(answer.status).toBe(404)
    expect(await answer.json()).toMatchObject({ message: expect.stringContaining('Use one of ada, kofi') })
  },
)
