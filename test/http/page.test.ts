import { createHash } from 'node:crypto'
import { Script } from 'node:vm'
import { expect, test } from 'vitest'
import { createHomePage, type HomePageFacts, START_DOCUMENT, WATCH_DOCUMENT } from '../../src/page/home-page.ts'
import { openTestApp, subscribeSse } from '../support/test-app.ts'

const REAL: HomePageFacts = {
  publicUrl: 'http://127.0.0.1:4000',
  upstreamUrl: 'https://api.ttapi.io',
  embedded: false,
  graphiql: false,
  portraits: [],
}
const EMBEDDED: HomePageFacts = {
  ...REAL,
  upstreamUrl: 'http://127.0.0.1:4010',
  embedded: true,
  graphiql: true,
  portraits: ['ada', 'kofi', 'mei'].map((name) => ({ name, url: `http://127.0.0.1:4010/portraits/${name}.jpg` })),
}

test('the page is served as HTML that no other site may frame, and no cache may store', async () => {
  const { app } = await openTestApp()
  const response = await fetch(`${app.url}/`)

  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(response.headers.get('x-frame-options')).toBe('DENY')
  expect(response.headers.get('cache-control')).toBe('private, no-store')
  expect(await response.text()).toContain('<h1>')
})

test('the Content-Security-Policy of the page allows only its one script and its one style, by digest', async () => {
  const { app } = await openTestApp()
  const response = await fetch(`${app.url}/`)
  const html = await response.text()
  const policy = new Map(
    (response.headers.get('content-security-policy') ?? '').split('; ').map((directive) => {
      const [name = '', ...sources] = directive.split(' ')
      return [name, sources.join(' ')]
    }),
  )

  expect(policy.get('default-src')).toBe("'none'")
  expect(policy.get('script-src')).toBe(readInline(html, 'script').map(toHashSource).join(' '))
  expect(policy.get('style-src')).toBe(readInline(html, 'style').map(toHashSource).join(' '))
  expect(policy.get('connect-src')).toBe("'self'")
  expect(html).not.toMatch(/\sstyle=|\son[a-z]+=/)
})

test('HEAD of the page gets the response of GET without a body', async () => {
  const { app } = await openTestApp()
  const [get, head] = await Promise.all([fetch(`${app.url}/`), fetch(`${app.url}/`, { method: 'HEAD' })])

  expect(head.status).toBe(200)
  expect(await head.text()).toBe('')
  expect(head.headers.get('content-security-policy')).toBe(get.headers.get('content-security-policy'))
})

test.each(['POST', 'PUT', 'DELETE'])('%s of the page is refused', async (method) => {
  const { app } = await openTestApp()
  const response = await fetch(`${app.url}/`, { method })

  expect(response.status).toBeGreaterThanOrEqual(404)
  expect(response.status).toBeLessThanOrEqual(405)
})

test('the operations of the page start a swap and follow it to its result', async () => {
  const { app, upstream, graphql } = await openTestApp()
  const input = {
    targetImage: { url: 'https://example.com/template.jpg' },
    swapImage: { url: 'https://example.com/face.jpg' },
    idempotencyKey: 'a-click',
  }
  const started = await graphql(START_DOCUMENT, { input })
  const again = await graphql(START_DOCUMENT, { input })
  expect(again.data).toEqual(started.data)
  expect(upstream.submits).toBe(1)

  const statuses: string[] = []
  for await (const { data } of subscribeSse(app.url, WATCH_DOCUMENT, { id: started.data.createSwap.job.id })) {
    const { status, done, result, timeline } = data.swapJobUpdated
    statuses.push(status)
    expect(timeline.at(-1).status).toBe(status)
    expect(done).toBe(status === 'SUCCESS')
    expect(result === null).toBe(!done)
    const [job] = upstream.accepted
    if (job && !done) {
      job.state = { status: 'SUCCESS' }
      await upstream.sendHook(job)
    }
  }
  expect(statuses).toEqual(['ON_QUEUE', 'SUCCESS'])
})

test('an unusable address is refused with its input path, which the page maps to a form field', async () => {
  const { graphql, upstream } = await openTestApp()
  const input = { targetImage: { url: 'ftp://example.com/a.jpg' }, swapImage: { url: '' }, idempotencyKey: 'a-click' }
  const { data } = await graphql(START_DOCUMENT, { input })

  expect(data.createSwap.issues.map(({ path }: { path: string[] }) => path[1])).toEqual(['targetImage', 'swapImage'])
  expect(upstream.submits).toBe(0)
})

test('with the embedded upstream each portrait can be chosen for both images, and two different ones are preselected', () => {
  const { html } = createHomePage(EMBEDDED)

  for (const slot of ['target', 'face']) {
    for (const { name, url } of EMBEDDED.portraits) {
      expect(html).toContain(`<input type="radio" name="${slot}-portrait" value="${url}"`)
      expect(html).toContain(`<img src="${url}" alt="${name}"`)
    }
  }
  expect(html).toMatch(/id="target-url"[^>]*value="http:\/\/127\.0\.0\.1:4010\/portraits\/ada\.jpg"/)
  expect(html).toMatch(/id="face-url"[^>]*value="http:\/\/127\.0\.0\.1:4010\/portraits\/kofi\.jpg"/)
  expect(html).toContain('on this machine')
})

test('with the real upstream the page has address fields only, and names the upstream that charges', () => {
  const { html } = createHomePage(REAL)

  expect(html).not.toContain('type="radio"')
  expect(html).toMatch(/id="target-url"[^>]*value=""/)
  expect(html).toMatch(/id="face-url"[^>]*value=""/)
  expect(html).toContain('api.ttapi.io')
  expect(html).not.toContain('on this machine')
})

test('GraphiQL is linked only if it is served', () => {
  expect(createHomePage(EMBEDDED).html).toContain('<a href="/graphql">GraphiQL</a>')
  expect(createHomePage(REAL).html).not.toContain('GraphiQL')
})

test.each([
  ['the embedded upstream', EMBEDDED, ['http://127.0.0.1:4010']],
  ['the real upstream', REAL, []],
])('with %s the page loads nothing but its own origin and the portraits', (_name, facts, origins) => {
  const { html } = createHomePage(facts)
  const references = [...html.matchAll(/\s(?:src|href|action|data|poster)="([^"]*)"/g)].map(
    ([, reference = '']) => reference,
  )
  const foreign = references.filter((reference) => !/^(?:data:|\/(?!\/))/.test(reference))

  expect(new Set(foreign.map((reference) => new URL(reference).origin))).toEqual(new Set(origins))
  expect(readInline(html, 'style').join('\n')).not.toMatch(/url\(|@import/)
})

test('without JavaScript the page shows the curl command for the chosen swap', () => {
  const { html } = createHomePage(EMBEDDED)
  const fallback = /<noscript>(.*?)<\/noscript>/s.exec(html)?.[1] ?? ''

  expect(fallback).toContain('http://127.0.0.1:4000/graphql')
  expect(fallback).toContain('/portraits/ada.jpg')
  expect(fallback).toContain('/portraits/kofi.jpg')
})

test('an address with markup is rendered as text', () => {
  const url = `http://127.0.0.1:4010/"><script>alert('1')</script>`
  const { html } = createHomePage({ ...EMBEDDED, portraits: [{ name: '<b>', url }] })

  expect(html).not.toContain('<script>alert')
  expect(html).not.toContain('alt="<b>"')
  expect(readInline(html, 'script')).toHaveLength(1)
})

test('the script of the page parses, and writes no markup', () => {
  const [script = ''] = readInline(createHomePage(REAL).html, 'script')

  expect(() => new Script(script)).not.toThrow()
  expect(script).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/)
})

function readInline(html: string, tag: 'script' | 'style'): string[] {
  return [...html.matchAll(new RegExp(`<${tag}[^>]*>(.*?)</${tag}>`, 'gs'))].map(([, text = '']) => text)
}

function toHashSource(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
}
