import type { ServerResponse } from 'node:http'
import { createHomePage, type HomePageFacts } from '../page/home-page.ts'
import { sendHtml } from './respond.ts'

/** Serves the front page, which is rendered once, at start. */
export function createPageHandler(facts: HomePageFacts) {
  const { html, contentSecurityPolicy } = createHomePage(facts)
  return (response: ServerResponse): void => sendHtml(response, html, contentSecurityPolicy)
}
