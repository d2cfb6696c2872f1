/**
 * Checks the container files and the samples of docs/OPERATIONS.md without a container engine, systemd or a proxy: their
 * numbers, ports, paths and settings against those of the program. CI runs the steps of the container files.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { toConfig } from '../src/config/config.ts'
import { parseSettings } from '../src/config/env.ts'
import { settings } from '../src/config/settings.ts'
import { MAX_WAIT_MS } from '../src/jobs/create-swap-input.ts'
import { HOOK_PREFIX } from '../src/http/hook.ts'
import { MAX_IMAGE_BYTES } from '../src/lib/image/image-limits.ts'

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

/** Replaces `${NAME}`, `${NAME:-default}` and `${NAME:?message}` as Compose does. */
function interpolate(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_all, name: string, kind?: string, rest = '') => {
    const value = env[name]
    if (!value && kind === '?') throw new Error(rest)
    return value || (kind === '-' ? rest : '')
  })
}

const compose = parse(readFileSync('compose.yaml', 'utf8'), { merge: true }) as Compose
const gateways = Object.values(compose.services).filter(({ build }) => build !== undefined)

test('the gateways of compose.yaml have known settings, and differ only in the volume of DATA_DIR', () => {
  expect(gateways).toHaveLength(2)
  for (const { environment } of gateways) {
    expect(Object.keys(settings)).toEqual(expect.arrayContaining(Object.keys(environment ?? {})))
  }
  expect(new Set(gateways.map((gateway) => volumeAt(gateway, '/data'))).size).toBe(2)
})

/** Reads a numeric constant from a source file. */
function constantOf(file: string, name: string): number {
  const [, text] = new RegExp(`^(?:export )?const ${name} = ([\\d_]+)$`, 'm').exec(readFileSync(file, 'utf8')) ?? []
  if (text === undefined) throw new Error(`${file} declares no number ${name}`)
  return Number(text.replaceAll('_', ''))
}

const { drainReadyMs } = toConfig(
  parseSettings({ HOST: '0.0.0.0', API_KEYS: 'a:b', GATEWAY_SECRET: 'a secret of sixteen' }),
)
/** The longest duration of a stop for a gateway that is not on loopback. */
const stopMs = drainReadyMs + constantOf('src/main.ts', 'STOP_WITHIN_MS')

test('compose.yaml allows a stopping gateway enough time', () => {
  for (const gateway of gateways) {
    const graceS = Number(/^(\d+)s$/.exec(gateway.stop_grace_period ?? '')?.[1])
    expect(graceS * 1_000).toBeGreaterThanOrEqual(stopMs)
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

test('the settings of compose.yaml are valid with two values that an operator sets', () => {
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

test('the reverse proxy lists every gateway, and no port is published beyond this machine', () => {
  for (const [name, { build }] of Object.entries(compose.services)) {
    expect(compose.configs.front.content.includes(`${name}:4000`)).toBe(build !== undefined)
  }
  const published = Object.values(compose.services).flatMap(({ ports = [] }) => ports)
  expect(published).toEqual(['127.0.0.1:4000:4000'])
})

test('no secret of compose.yaml has a default, and images have versions', () => {
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
  // .dockerignore must include everything that COPY takes from the build context.
  for (const [, sources = ''] of dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)) {
    for (const source of sources.split(' ')) expect(ignored).toContain(`!${source.split('/')[0]}`)
  }
  expect(dockerfile).toMatch(/^RUN mkdir \/data \/images && chown node:node \/data \/images$/m)
})

test('the image runs as a non-root user on Node 24', () => {
  const dockerfile = readFileSync('Dockerfile', 'utf8')
  expect(dockerfile.match(/^FROM (\S+)/gm)).toEqual(['FROM node:24-slim', 'FROM node:24-slim'])
  expect(dockerfile).toMatch(/^USER node$/m)
})

describe('docs/OPERATIONS.md', () => {
  const document = readFileSync('docs/OPERATIONS.md', 'utf8')

  /** Returns the only block of this language. */
  function sample(language: string): string {
    const blocks = [...document.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))]
    expect(blocks).toHaveLength(1)
    return blocks[0]?.[1] ?? ''
  }

  const secrets = { TTAPI_KEY: 'k', GATEWAY_SECRET: 'a secret of sixteen', DATABASE_URL: 'postgres://g:p@db/gateway' }
  const port = Number(settings.PORT.default)

  test('names the stop times of its samples', () => {
    expect(document).toContain(`ends within \`DRAIN_READY_S\` plus ${stopMs / 1_000 - drainReadyMs / 1_000} s`)
    for (const [setting, language] of [
      ['TimeoutStopSec=50', 'ini'],
      ['terminationGracePeriodSeconds: 50', 'yaml'],
    ] as const) {
      expect(document).toContain(`\`${setting}\``)
      expect(sample(language)).toContain(setting)
      expect(50_000).toBeGreaterThanOrEqual(stopMs)
    }
  })

  describe('the systemd unit', () => {
    const entries = [...sample('ini').matchAll(/^(\w+)=(.*)$/gm)].map(
      ([, name = '', value = '']) => [name, value] as const,
    )
    const unit = new Map(entries)

    test('declares each directive once, and does not forbid the JIT compiler', () => {
      expect(unit.size).toBe(entries.length)
      expect(unit.has('MemoryDenyWriteExecute')).toBe(false)
    })

    test('starts the program that `npm start` starts, and counts as started once it is executed', () => {
      const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly scripts: { start: string } }
      expect(unit.get('ExecStart')).toBe(`/usr/bin/${scripts.start.replace('exec ', '')}`)
      expect(unit.get('Type')).toBe('exec')
    })

    test('sets DATA_DIR to its StateDirectory, its only writable path', () => {
      expect(unit.get('Environment')).toBe(`DATA_DIR=/var/lib/${unit.get('StateDirectory')}`)
      expect(unit.get('ProtectSystem')).toBe('strict')
    })

    test('allows a stopping gateway enough time', () => {
      expect(Number(unit.get('TimeoutStopSec')) * 1_000).toBeGreaterThanOrEqual(stopMs)
    })
  })

  describe('the Kubernetes sample', () => {
    const [set, service] = parseAllDocuments(sample('yaml')).map((one) => one.toJS() as unknown) as [
      StatefulSet,
      KubernetesService,
    ]
    const { terminationGracePeriodSeconds, containers, volumes, securityContext } = set.spec.template.spec
    const [container] = containers
    const dockerfile = readFileSync('Dockerfile', 'utf8')
    const image = Object.fromEntries(
      (/^ENV (.+)$/m.exec(dockerfile)?.[1] ?? '').split(' ').map((pair) => pair.split('=') as [string, string]),
    )

    test('allows a stopping pod enough time', () => {
      expect(terminationGracePeriodSeconds * 1_000).toBeGreaterThanOrEqual(stopMs)
    })

    test('probes the two health paths on the port of the gateway', () => {
      const { startupProbe, livenessProbe, readinessProbe, ports } = container
      expect(ports).toEqual([{ name: 'http', containerPort: port }])
      expect(startupProbe.httpGet).toEqual({ path: '/healthz', port: 'http' })
      expect(livenessProbe.httpGet).toEqual({ path: '/healthz', port: 'http' })
      expect(readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'http' })
      expect(service.spec.ports).toEqual([{ name: 'http', port: 80, targetPort: 'http' }])
    })

    test('detects a draining pod before it stops serving', () => {
      const { periodSeconds, failureThreshold } = container.readinessProbe
      expect(periodSeconds * failureThreshold * 1_000).toBeLessThan(drainReadyMs)
    })

    test('passes the check of the settings with the secrets that the text names', () => {
      const given = Object.fromEntries(container.env.map(({ name, value }) => [name, value]))
      const aws = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'key' }
      for (const name of Object.keys({ ...secrets, ...aws })) expect(document).toContain(`\`${name}\``)
      const { NODE_ENV: _, ...fixed } = image
      const all = { ...fixed, ...given, ...secrets, ...aws }
      expect(Object.keys(settings)).toEqual(expect.arrayContaining(Object.keys(all)))
      const config = toConfig(parseSettings(all))
      expect(config).toMatchObject({ host: '0.0.0.0', port, databasePath: null, authenticates: true })
    })

    test('mounts a volume of each pod at DATA_DIR, and the keys where API_KEYS names them', () => {
      const mounts = Object.fromEntries(container.volumeMounts.map(({ name, mountPath }) => [name, mountPath]))
      const [claim] = set.spec.volumeClaimTemplates
      expect(set.kind).toBe('StatefulSet')
      expect(mounts[claim.metadata.name]).toBe(image['DATA_DIR'])
      const keys = container.env.find(({ name }) => name === 'API_KEYS')?.value
      expect(keys).toBe(`file:${mounts[volumes[0].name]}/api-keys`)
    })

    test('runs as the user of the image, which may write to the volume', () => {
      expect(dockerfile).toMatch(/^USER node$/m)
      // The id of the user `node` in the Node images.
      expect(securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000 })
    })

    test('selects the pods of its template', () => {
      const { labels } = set.spec.template.metadata
      expect([set.spec.selector.matchLabels, service.spec.selector]).toEqual([labels, labels])
      expect(set.spec.serviceName).toBe(service.metadata.name)
    })
  })

  describe('the nginx sample', () => {
    const nginx = sample('nginx')

    test('waits longer than a submit and a wait take together', () => {
      const slowestMs = constantOf('src/app/open-upstream.ts', 'SUBMIT_TIMEOUT_MS') + MAX_WAIT_MS
      expect(Number(/proxy_read_timeout (\d+)s;/.exec(nginx)?.[1]) * 1_000).toBeGreaterThan(slowestMs)
    })

    test('accepts the largest upload', () => {
      const megabytes = Number(/client_max_body_size (\d+)m;/.exec(nginx)?.[1])
      expect(megabytes * 1024 * 1024).toBeGreaterThanOrEqual(MAX_IMAGE_BYTES)
      expect(document).toContain(`proxy-body-size: ${megabytes}m`)
    })

    test('requires no authentication for the path of hooks', () => {
      expect(nginx).toMatch(new RegExp(`location ${HOOK_PREFIX} \\{\\n\\s+auth_basic off;`))
    })

    test('passes on upgrades and the host, to the port of the gateway', () => {
      expect(nginx).toContain('proxy_http_version 1.1;')
      expect(nginx).toContain('proxy_set_header Upgrade $http_upgrade;')
      expect(nginx).toContain('proxy_set_header Host $http_host;')
      const servers = [...nginx.matchAll(/^ {2}server \S+:(\d+);/gm)].map(([, at]) => Number(at))
      expect(servers).toEqual([port, port])
    })
  })

  test('the Caddy sample checks readiness, and lets Caddy end the streams of clients that have gone', () => {
    for (const caddyfile of [sample('caddyfile'), compose.configs.front.content]) {
      expect(caddyfile).toContain('health_uri /readyz')
      const intervalS = Number(/health_interval (\d+)s/.exec(caddyfile)?.[1])
      expect(intervalS * 1_000).toBeLessThan(drainReadyMs)
      // -1 keeps the request to the gateway open after the client has disconnected.
      expect(caddyfile).not.toContain('flush_interval')
    }
  })

  test('every message in the table of log lines is one that the program logs', () => {
    const [, logs = ''] = document.split('\n## Logs\n')
    const [table = ''] = logs.split('\n## ')
    const messages = [...table.matchAll(/^\| (?!level)[^|]+ \| `([^`]+)` \|/gm)].map(([, message = '']) => message)
    const source = ['src/telemetry/logger.ts', 'src/main.ts', 'src/app/ready.ts', 'src/app/open-authentication.ts']
      .map((path) => readFileSync(path, 'utf8'))
      .join('\n')
    // An ellipsis in the table replaces the variable parts of a message.
    const parts = messages.flatMap((message) => message.replace(/^could not (?!…)/, '').split('…'))
    expect(parts.length).toBeGreaterThan(15)
    expect(parts.filter((part) => !source.includes(part.trim()))).toEqual([])
  })
})

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
  readonly periodSeconds: number
  readonly failureThreshold: number
}

interface Container {
  readonly env: readonly { readonly name: string; readonly value: string }[]
  readonly ports: readonly object[]
  readonly startupProbe: Probe
  readonly livenessProbe: Probe
  readonly readinessProbe: Probe
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
}

interface StatefulSet {
  readonly kind: string
  readonly spec: {
    readonly serviceName: string
    readonly selector: { readonly matchLabels: object }
    readonly template: {
      readonly metadata: { readonly labels: object }
      readonly spec: {
        readonly terminationGracePeriodSeconds: number
        readonly securityContext: object
        readonly containers: readonly [Container]
        readonly volumes: readonly [{ readonly name: string }]
      }
    }
    readonly volumeClaimTemplates: readonly [{ readonly metadata: { readonly name: string } }]
  }
}

interface KubernetesService {
  readonly metadata: { readonly name: string }
  readonly spec: { readonly selector: object; readonly ports: readonly object[] }
}
