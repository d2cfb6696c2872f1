import { expect, test } from 'vitest'
import { findUnknown, readRenamed } from '../../src/config/read-env.ts'
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
])('the unknown setting %s is reported with the nearest setting %s', (name, nearest) => {
  expect(findUnknown([name])).toEqual([{ name, nearest }])
})

test('the variables of other programs and the settings themselves are not reported as unknown', () => {
  const others = ['HOME', 'PATH', 'SHELL', 'HOSTNAME', 'LANG', 'TERM', 'USER', 'PWD', 'AWS_REGION', 'NODE_ENV', 'CI']
  const ofKubernetes = [
    'GATEWAY_SERVICE_HOST',
    'GATEWAY_PORT',
    'GATEWAY_PORT_4000_TCP_ADDR',
    'GATEWAY_SERVICE_PORT_HTTP',
  ]
  expect(findUnknown([...others, ...ofKubernetes, 'POSTGRES_PASSWORD', ...Object.keys(settings)])).toEqual([])
})

test('a variable name of a million characters is ignored without measuring its distance', () => {
  expect(findUnknown([`TTAPI_${'X'.repeat(1_000_000)}`])).toEqual([])
})

test.each([
  ['is read as the name now', { REST_DOOR: 'on' }, 'on'],
  ['does not replace a value of the name now', { REST_DOOR: 'on', REST_API: 'off' }, 'off'],
])('the earlier name of a setting %s, and is reported', (_title, given, expected) => {
  const env: Record<string, string | undefined> = given
  expect(readRenamed(env)).toEqual([{ name: 'REST_DOOR', now: 'REST_API' }])
  expect(env['REST_API']).toBe(expected)
})

test('an empty value under an earlier name of a setting is ignored', () => {
  expect(readRenamed({ REST_DOOR: ' ' })).toEqual([])
})
