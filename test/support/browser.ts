/**
 * A real Chromium (`CHROMIUM`, or one of Debian's names for it). If it is missing, tests that need it are skipped and
 * their titles say so; with `BROWSER_TESTS=required` they fail.
 */
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'

const CANDIDATES = [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const executablePath = CANDIDATES.find((path) => path !== undefined && existsSync(path))

if (executablePath === undefined && process.env['BROWSER_TESTS'] === 'required')
  throw new Error('BROWSER_TESTS=required, and there is no Chromium: install it, or name it with CHROMIUM')

export const hasBrowser = executablePath !== undefined
/** For a busy machine, as the timeout of a test. */
const PAGE_TIMEOUT_MS = 55_000
/** Suffix for the titles of tests that need Chromium. */
export const BROWSER_NOTE = hasBrowser ? '' : ' [not run: there is no Chromium]'

/** Launches Chromium; every host name below `example` resolves to 127.0.0.1. */
export async function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    ...(executablePath !== undefined && { executablePath }),
    // Chromium does not run sandboxed as root.
    args: ['--host-resolver-rules=MAP *.example 127.0.0.1', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
  })
}

/** Opens a page and collects the errors that it throws or logs. */
export async function openPage(browser: Browser, url: string): Promise<{ page: Page; errors: string[] }> {
  const page = await browser.newPage()
  page.setDefaultTimeout(PAGE_TIMEOUT_MS)
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text())
  })
  await page.goto(url)
  return { page, errors }
}
