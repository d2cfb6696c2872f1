/** What can be checked of the container files where there is no container engine; their steps are run by CI. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { toConfig } from '../src/config/config.ts'
import { parseSettings } from '../src/config/env.ts'
import { settings } from '../src/config/settings.ts'

interface Service {
  readonly image?: string
  readonly build?: string
  readonly ports?: readonly string[]
  readonly environment?: Readonly<Record<string, string | number>>
  readonly env_file?: readonly { readonly path: string; readonly required: boolean }[]
  readonly volumes?: readonly string[]
  readonly stop_grace_period?: string
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly configs: { readonly front: { readonly content: string } }
  readonly volumes: object
}

function volumeAt({ volumes = [] }: Service, path: string): string | undefined {
  return volumes.find((volume) => volume.endsWith(`:${path}`))?.split(':')[0]
}

/** `${NAME}`, `${NAME:-default}` and `${NAME:?message}`, as Compose replaces them. */
function interpolate(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_all, name: string, kind?: string, rest = '') => {
    const value = env[name]
    if (!value && kind === '?') throw new Error(rest)
    return value || (kind === '-' ? rest : '')
  })
}

const compose = parse(readFileSync('compose.yaml', 'utf8'), { merge: true }) as Compose
const gateways = Object.values(compose.services).filter(({ build }) => build !== undefined)

test('the gateways of compose.yaml are given known settings, and differ in the volume of DATA_DIR', () => {
  expect(gateways).toHaveLength(2)
  for (const { environment } of gateways) {
    expect(Object.keys(settings)).toEqual(expect.arrayContaining(Object.keys(environment ?? {})))
  }
  expect(new Set(gateways.map((gateway) => volumeAt(gateway, '/data'))).size).toBe(2)
})

test('compose.yaml gives a stopping gateway the time that it may take', () => {
  const { drainReadyMs } = toConfig(
    parseSettings({ HOST: '0.0.0.0', API_KEYS: 'a:b', GATEWAY_SECRET: 'a secret of sixteen' }),
  )
  for (const gateway of gateways) {
    const graceS = Number(/^(\d+)s$/.exec(gateway.stop_grace_period ?? '')?.[1])
    expect(graceS * 1_000).toBeGreaterThanOrEqual(drainReadyMs + 40_000)
  }
})

test('the gateways of compose.yaml share one volume of images, which BLOB_URL names unless the operator sets it', () => {
  for (const gateway of gateways) {
    expect(gateway.environment?.['BLOB_URL']).toBe('${BLOB_URL:-file:/images}')
    expect(volumeAt(gateway, '/images')).toBe('images')
  }
  for (const gateway of gateways) expect(Object.keys(compose.volumes)).toContain(volumeAt(gateway, '/data'))
  expect(Object.keys(compose.volumes)).toContain('images')
})

test('the settings that compose.yaml gives pass the check of the start, with two values that an operator would set', () => {
  const given = {
    POSTGRES_PASSWORD: '0a1b2c',
    GATEWAY_SECRET: 'a secret of sixteen',
    API_KEYS: `acme:${'ab'.repeat(32)}`,
  }
  const env: Record<string, string> = { ...given, PUBLIC_URL: 'https://swap.example.com', TTAPI_KEY: 'k' }
  for (const { environment = {} } of gateways) {
    const values = Object.entries(environment).map(([name, value]) => [name, interpolate(String(value), env)] as const)
    const config = toConfig(parseSettings(Object.fromEntries(values)))
    expect(config).toMatchObject({ host: '0.0.0.0', port: 4000, dataDir: '/data', blobUrl: 'file:/images' })
    expect([config.databasePath, config.authenticates]).toEqual([null, true])
  }
})

test('every setting in .env reaches the gateways of compose.yaml', () => {
  for (const { env_file } of gateways) expect(env_file).toEqual([{ path: '.env', required: false }])
})

test('the front knows every gateway, and nothing is published beyond this machine', () => {
  for (const [name, { build }] of Object.entries(compose.services)) {
    expect(compose.configs.front.content.includes(`${name}:4000`)).toBe(build !== undefined)
  }
  const published = Object.values(compose.services).flatMap(({ ports = [] }) => ports)
  expect(published).toEqual(['127.0.0.1:4000:4000'])
})

test('no secret has a default, and images are named with their versions', () => {
  const text = readFileSync('compose.yaml', 'utf8')
  for (const name of ['TTAPI_KEY', 'GATEWAY_SECRET', 'POSTGRES_PASSWORD']) {
    for (const use of text.match(new RegExp(`\\$\\{${name}[^}]*\\}`, 'g')) ?? ['none']) expect(use).toContain(':?')
  }
  for (const { image } of Object.values(compose.services)) {
    if (image !== undefined) expect(image).toMatch(/:\d/)
  }
})

test('the image has all files that the program and its settings name, and volumes that its user can write to', () => {
  const dockerfile = readFileSync('Dockerfile', 'utf8')
  const ignored = readFileSync('.dockerignore', 'utf8').split('\n')
  expect(dockerfile).toMatch(/^COPY schema \.\/schema$/m)
  for (const folder of ['dist', 'packages/swapface/dist', 'packages/swapface/portraits']) {
    expect(dockerfile).toContain(`COPY --from=build /app/${folder} ./${folder}\n`)
  }
  // All that COPY takes from the build's context is let through.
  for (const [, sources = ''] of dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)) {
    for (const source of sources.split(' ')) expect(ignored).toContain(`!${source.split('/')[0]}`)
  }
  expect(dockerfile).toMatch(/^RUN mkdir \/data \/images && chown node:node \/data \/images$/m)
})

test('the image runs as a user that is not root, on Node 24', () => {
  const dockerfile = readFileSync('Dockerfile', 'utf8')
  expect(dockerfile.match(/^FROM (\S+)/gm)).toEqual(['FROM node:24-slim', 'FROM node:24-slim'])
  expect(dockerfile).toMatch(/^USER node$/m)
})
