/** Tests in a real browser: the front page, GraphiQL, and images on pages of other origins. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findFreePorts, type Program, startProgram } from '../e2e/program.ts'
import { BROWSER_NOTE, hasBrowser, launchBrowser, openPage } from '../support/browser.ts'
import { atGateway, readRecipe } from '../support/client-recipes.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { openTestApp } from '../support/test-app.ts'
import { openScriptedHost, type ScriptedHost } from '../support/scripted-host.ts'

describe.skipIf(!hasBrowser)(`in a browser${BROWSER_NOTE}`, () => {
  let browser: Browser
  let program: Program
  let host: ScriptedHost
  let other: ScriptedHost
  let dataDir = ''
  /** Returns a page's address under a non-loopback name: loopback origins may call a gateway without keys. */
  const nameOf = (name: string, { url }: ScriptedHost) => url.replace('127.0.0.1', name)
  const html = '<!doctype html><title>a page of another origin</title><canvas></canvas>'

  beforeAll(async () => {
    ;[host, other] = [
      await openScriptedHost((_request, response) => response.setHeader('content-type', 'text/html').end(html)),
      await openScriptedHost((_request, response) => response.setHeader('content-type', 'text/html').end(html)),
    ]
    dataDir = await mkdtemp(join(tmpdir(), 'swapface-browser-'))
    program = await startProgram({
      dataDir,
      ...(await findFreePorts()),
      env: { ALLOWED_ORIGINS: nameOf('allowed.example', host) },
    })
    browser = await launchBrowser()
  }, 60_000)
  afterAll(async () => {
    await browser.close()
    await program.stop()
    await Promise.all([host.close(), other.close()])
    await rm(dataDir, { recursive: true, force: true })
  })

  const open = (url: string) => openPage(browser, url)

  test('the button of the front page swaps two portraits without an error', async () => {
    const { page, errors } = await open(`${program.url}/`)
    await page.click('#swap')
    await page.waitForFunction(() => {
      const image = document.querySelector<HTMLImageElement>('#result')
      return image !== null && !image.hidden && image.complete && image.naturalWidth > 0
    })
    expect(await page.textContent('#timeline')).toContain('SUCCESS')
    expect(errors).toEqual([])
    await page.close()
  })

  test('the front page does not say of a refused swap that the upstream accepted it', async () => {
    const gateway = await openTestApp()
    const answer = JSON.stringify({ status: 'FAILED', message: 'no', data: null })
    gateway.upstream.planSubmits({ kind: 'answer', status: 400, body: answer })
    const { page } = await open(`${gateway.app.url}/`)
    await page.fill('#target-url', 'https://example.com/t.jpg')
    await page.fill('#face-url', 'https://example.com/f.jpg')
    await page.click('#swap')
    await page.waitForFunction(() => document.querySelector('#timeline')?.textContent?.includes('FAILED'))
    const text = await page.textContent('#timeline')
    expect(text).toContain('the upstream did not accept it')
    expect(text).not.toMatch(/accepted it|ON_QUEUE/)
    expect(await page.textContent('#status')).toBe('The upstream refused the swap.')
    await page.close()
  })

  test('GraphiQL reads the schema and shows it in its documentation pane', async () => {
    const { page, errors } = await open(`${program.url}/graphql`)
    await page.click('button[aria-label="Show Documentation Explorer"]')
    // GraphiQL lists the root types after the introspection query.
    await page.click('.graphiql-doc-explorer-type-name:text-is("Query")')
    await page.waitForSelector('.graphiql-doc-explorer-title:text-is("Query")')
    const fields = await page.locator('.graphiql-doc-explorer-field-name').allTextContents()
    expect(fields).toEqual(expect.arrayContaining(['node', 'swapJob', 'swapJobs', 'swapService', 'swapUsage']))
    expect(errors).toEqual([])
    await page.close()
  })

  /** Draws the image on a canvas of the page and reads a pixel; null if the browser forbids it. */
  async function drawAndRead(page: Page, url: string): Promise<number[] | null> {
    return page.evaluate(async (source) => {
      const image = new Image()
      image.crossOrigin = 'anonymous'
      const loaded = new Promise<boolean>((resolve) => {
        image.addEventListener('load', () => resolve(true))
        image.addEventListener('error', () => resolve(false))
      })
      image.src = source
      if (!(await loaded)) return null
      const context = document.querySelector('canvas')?.getContext('2d')
      context?.drawImage(image, 0, 0, 10, 10)
      return context ? [...context.getImageData(5, 5, 1, 1).data] : null
    }, url)
  }

  test('a page of an allowed origin can read the pixels of a result, and a page of another origin cannot', async () => {
    const image = (name: string) => ({ url: `${program.upstreamUrl}/portraits/${name}.jpg` })
    const response = await fetch(`${program.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        query: `mutation ($input: CreateSwapInput!) { createSwap(input: $input) {
          ... on CreateSwapSuccess { job { result { copy { url(width: 100) } } } } } }`,
        variables: { input: { targetImage: image('ada'), swapImage: image('kofi'), waitMs: 20_000 } },
      }),
    })
    const { data } = (await response.json()) as { data: any } // oxlint-disable-line typescript/no-explicit-any
    const url = String(data.createSwap.job.result.copy.url)
    const [allowed, foreign] = [
      await open(nameOf('allowed.example', host)),
      await open(nameOf('foreign.example', other)),
    ]
    const pixel = await drawAndRead(allowed.page, url)
    expect(pixel).toEqual([expect.any(Number), expect.any(Number), expect.any(Number), 255])
    expect(await drawAndRead(foreign.page, url)).toBeNull()
    await Promise.all([allowed.page.close(), foreign.page.close()])
  })

  test('a page uploads the chosen file, and swaps a face into it', async () => {
    const recipe = readRecipe('Upload from a browser', 'html')
    const recipePage = atGateway(program, recipe)
    const own = await openScriptedHost((_request, response) =>
      response.setHeader('content-type', 'text/html').end(recipePage),
    )
    closeAfterTest(() => own.close())
    const { page, errors } = await open(own.url)
    await page.setInputFiles('input', 'packages/swapface/portraits/ada.jpg')
    await page.waitForFunction(() => document.querySelector('p')?.textContent !== 'Choose a portrait.')
    expect(await page.textContent('p')).toMatch(/^SUCCESS http:/)
    expect(errors).toEqual([])
    await page.close()
  })

  test('a page of another origin can neither query nor subscribe', async () => {
    const { page } = await open(nameOf('foreign.example', other))
    const seen = await page.evaluate(async (gateway) => {
      const asked = await fetch(`${gateway}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"query":"{ __typename }"}',
      }).then(
        () => 'answered',
        () => 'refused',
      )
      const watched = await new Promise<string>((resolve) => {
        const socket = new WebSocket(`${gateway.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
        socket.addEventListener('open', () => resolve('opened'))
        socket.addEventListener('error', () => resolve('refused'))
      })
      return [asked, watched]
    }, program.url)
    expect(seen).toEqual(['refused', 'refused'])
    await page.close()
  })
})
