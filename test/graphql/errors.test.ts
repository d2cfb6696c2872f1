import { rmSync } from 'node:fs'
import { GraphQLError } from 'graphql'
import { afterEach, expect, test, vi } from 'vitest'
import { GatewayError } from '../../src/domain/errors.ts'
import { createErrorMask } from '../../src/graphql/errors.ts'
import { CreateSwapDocument, WatchSwapJobDocument } from '../../src/graphql/generated.ts'
import { makeDataDir, openSideDoorOf, openTestApp, subscribeSse } from '../support/test-app.ts'

afterEach(() => vi.unstubAllEnvs())

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }

test('an unexpected error becomes one plain sentence, and is heard here', () => {
  const heard: unknown[] = []
  const mask = createErrorMask((error) => heard.push(error))
  const secret = new Error('SQLITE_ERROR: no such column api_key')
  const masked = mask(new GraphQLError(secret.message, { originalError: secret, path: ['swapJob'] }))
  expect(masked).toMatchObject({
    message: 'Unexpected error.',
    path: ['swapJob'],
    extensions: { code: 'INTERNAL_SERVER_ERROR' },
  })
  expect(JSON.stringify(masked)).not.toContain('SQLITE')
  expect(heard).toEqual([secret])
})

test('a failed call keeps its words and gets its code', () => {
  const mask = createErrorMask(() => {})
  const gone = new GatewayError('NOT_FOUND', 'There is no such job.')
  expect(mask(new GraphQLError('x', { originalError: gone, path: ['a'] }))).toMatchObject({
    message: 'There is no such job.',
    extensions: { code: 'NOT_FOUND' },
  })
})

test.each(['development', 'production', 'test'])(
  'a broken database shows nothing of itself over HTTP and SSE, whatever NODE_ENV says (%s), and nothing is sent upstream',
  async (NODE_ENV) => {
    vi.stubEnv('NODE_ENV', NODE_ENV)
    const dataDir = await makeDataDir()
    const gateway = await openTestApp({ dataDir })
    const { data } = await gateway.graphql(CreateSwapDocument.toString(), { input: INPUT })
    await (await openSideDoorOf(dataDir)).exec('alter table jobs rename to gone')

    const created = await gateway.graphql(CreateSwapDocument.toString(), { input: INPUT })
    const events: unknown[] = []
    for await (const event of subscribeSse(gateway.app.url, WatchSwapJobDocument.toString(), {
      id: data.createSwap.job.id,
    })) {
      events.push(event)
    }
    expect(created).toMatchObject({ errors: [{ extensions: { code: 'UNAVAILABLE' } }] })
    expect(events).toMatchObject([
      { errors: [{ message: 'Unexpected error.', extensions: { code: 'INTERNAL_SERVER_ERROR' } }] },
    ])
    expect(JSON.stringify([created, events])).not.toMatch(/jobs|sqlite|stack|\.ts/i)
    expect(gateway.upstream.submits).toBe(1)
    expect((await fetch(`${gateway.app.url}/readyz`)).status).toBe(503)
    rmSync(dataDir, { recursive: true })
  },
)
