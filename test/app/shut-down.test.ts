import { expect, test } from 'vitest'
import { shutDown } from '../../src/app/shut-down.ts'
import { openTestApp } from '../support/test-app.ts'

test('later shutdown steps run after a failed one, and all failures are reported at the end', async () => {
  const ran: string[] = []
  const fail = (name: string) => ({
    name,
    run: () => {
      throw new Error(name)
    },
  })
  const steps = [fail('first'), { name: 'second', run: () => void ran.push('second') }, fail('third')]
  const names: string[] = []
  const closing = shutDown(steps, (name) => names.push(name))
  await expect(closing).rejects.toMatchObject({ errors: [{ message: 'first' }, { message: 'third' }] })
  expect(ran).toEqual(['second'])
  expect(names).toEqual(['first', 'second', 'third'])
})

test('a gateway shuts down its entry points first, then the layers behind them', async () => {
  const { app, events } = await openTestApp()
  await app.close()
  expect(events.filter(({ name }) => name === 'shutdownStepBegan').flatMap(({ args }) => args)).toEqual([
    'report not ready, keep serving',
    'start no further sweep or webhook attempt',
    'end all waits',
    'refuse new requests, end streams',
    'wait for requests in progress, close the listener',
    'wait for submits and other work in progress',
    'close the jobs',
    'close the upstream',
    'close the API keys',
    'close the storage',
    'export the last traces',
    'close the metrics',
  ])
})
