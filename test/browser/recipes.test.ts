/** Runs the pages of docs/CLIENTS.md in a real browser, on their own origin; only the gateway's address is replaced. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BROWSER_NOTE, hasBrowser, launchBrowser, openPage } from '../support/browser.ts'
import { atGateway, readRecipe } from '../support/client-recipes.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { openProject, RELAY_COMPILER, runInProject } from '../support/front-end-project.ts'
import { openScriptedHost } from '../support/scripted-host.ts'
import { openTestApp, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

/** Replaces each literal by the artefact of the Relay compiler, as a bundler's Relay plugin does. */
const relayPlugin: Plugin = {
  name: 'relay',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\/src\/.*\.jsx$/ }, async ({ path }) => ({
      loader: 'jsx',
      contents: (await readFile(path, 'utf8')).replaceAll(
        /graphql`\s*\w+ (\w+)[^`]*`/g,
        (_literal, name: string) => `require('./__generated__/${name}.graphql').default`,
      ),
    }))
  },
}

async function bundle(project: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(project, 'src/Swap.jsx')],
    bundle: true,
    write: false,
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [relayPlugin],
    logLevel: 'silent',
  })
  return outputFiles[0]?.text ?? ''
}

async function openGateway(): Promise<TestApp> {
  return openTestApp({ settings: { INTROSPECTION: 'on', ALLOWED_PRIVATE_HOSTS: '127.0.0.1:4010' } })
}

/** Serves a page on its own port, so that its origin differs from the gateway's. */
async function serve(html: string, script: string): Promise<string> {
  const host = await openScriptedHost(({ path }, response) => {
    const isScript = path === '/app.js'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html; charset=utf-8')
    response.end(isScript ? script : html)
  })
  closeAfterTest(() => host.close())
  return host.url
}

const ROOT = '<!doctype html><title>A swap</title><div id="root"></div><script src="/app.js"></script>'

describe.skipIf(!hasBrowser)(`in a browser${BROWSER_NOTE}`, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchBrowser()
  }, 60_000)
  afterAll(() => browser.close())

  const open = async (url: string) => {
    const opened = await openPage(browser, url)
    closeAfterTest(() => opened.page.close())
    return opened
  }

  test.each(['React with urql', 'React with Apollo Client', 'React with Relay'])(
    'the button of the page with %s starts a swap, and the page shows its state and its result',
    { timeout: 90_000 },
    async (heading) => {
      const gateway = await openGateway()
      gateway.upstream.scriptJobs(() => ({}))
      const { app } = gateway
      const project = await openProject({
        'package.json': '{}',
        'src/Swap.jsx': atGateway(app, readRecipe(heading, 'jsx')),
        ...(heading.endsWith('Relay') && {
          'relay.config.json': readRecipe(heading, 'json'),
          'schema.graphql': await (await fetch(`${app.url}/schema.graphql`)).text(),
        }),
      })
      if (heading.endsWith('Relay')) await runInProject(project, RELAY_COMPILER, '--noWatchman')
      const { page } = await open(await serve(ROOT, await bundle(project)))
      await page.click('button')
      await page.waitForSelector('p:text-is("ON_QUEUE")')
      const job = await until(() => gateway.upstream.accepted[0])
      job.state = { status: 'SUCCESS' }
      await gateway.upstream.sendHook(job)
      // The image has the upstream's address, where nothing is served.
      await page.waitForSelector('img', { state: 'attached' })
      expect(await page.getAttribute('img', 'alt')).toBe('SUCCESS')
    },
  )
})
