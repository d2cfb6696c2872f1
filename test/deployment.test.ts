/** What can be checked of the container files where there is no container engine; their steps are run by CI. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { settings } from '../src/config/settings.ts'

interface Service {
  readonly image?: string
  readonly build?: string
  readonly ports?: readonly string[]
  readonly environment?: Readonly<Record<string, string | number>>
  readonly volumes?: readonly string[]
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly configs: { readonly front: { readonly content: string } }
  readonly volumes: object
}

const compose = parse(readFileSync('compose.yaml', 'utf8'), { merge: true }) as Compose
const gateways = Object.values(compose.services).filter(({ build }) => build !== undefined)

test('the gateways of compose.yaml are given settings that there are, and differ in their folder', () => {
  expect(gateways).toHaveLength(2)
  for (const { environment } of gateways) {
    expect(Object.keys(settings)).toEqual(expect.arrayContaining(Object.keys(environment ?? {})))
  }
  expect(new Set(gateways.map(({ volumes }) => volumes?.[0])).size).toBe(2)
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

test('the image runs as a user that is not root, on Node 24', () => {
  const dockerfile = readFileSync('Dockerfile', 'utf8')
  expect(dockerfile.match(/^FROM (\S+)/gm)).toEqual(['FROM node:24-slim', 'FROM node:24-slim'])
  expect(dockerfile).toMatch(/^USER node$/m)
})
