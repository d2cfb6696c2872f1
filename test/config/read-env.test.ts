import { expect, test } from 'vitest'
import { findUnknown } from '../../src/config/read-env.ts'
import { settings } from '../../src/config/settings.ts'

test.each([
  ['TTAPI_KEYS', 'TTAPI_KEY'],
  ['TTAPI_TOKEN', 'TTAPI_KEY'],
  ['API_KEY', 'API_KEYS'],
  ['PUBLIC_URI', 'PUBLIC_URL'],
  ['DATABASE_URI', 'DATABASE_URL'],
  ['AWS_ACCESS_KEY', 'AWS_ACCESS_KEY_ID'],
  ['ALLOWED_ORIGIN', 'ALLOWED_ORIGINS'],
  ['port', 'PORT'],
  ['LOG-LEVEL', 'LOG_LEVEL'],
  ['TENANT_QUOTA', 'TENANT_QUOTA_PER_DAY'],
])('takes %s for a mistaken %s', (name, nearest) => {
  expect(findUnknown([name])).toEqual([{ name, nearest }])
})

test('says nothing of other programs’ names, and of the settings themselves', () => {
  const others = ['HOME', 'PATH', 'SHELL', 'HOSTNAME', 'LANG', 'TERM', 'USER', 'PWD', 'AWS_REGION', 'NODE_ENV', 'CI']
  const ofKubernetes = [
    'GATEWAY_SERVICE_HOST',
    'GATEWAY_PORT',
    'GATEWAY_PORT_4000_TCP_ADDR',
    'GATEWAY_SERVICE_PORT_HTTP',
  ]
  expect(findUnknown([...others, ...ofKubernetes, 'POSTGRES_PASSWORD', ...Object.keys(settings)])).toEqual([])
})

test('ignores a name of a million characters without measuring it', () => {
  expect(findUnknown([`TTAPI_${'X'.repeat(1_000_000)}`])).toEqual([])
})
