/**
 * Renders the front page: `home.html` with `home.css` and `home.js` inlined, one document that loads only images.
 * Values that vary are escaped and filled in here. The script reads the GraphQL documents from the page, so the page
 * shows exactly what it sends.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

// The build replaces these three calls with the text of the files (scripts/bundle.mjs).
const HTML = readFileSync(new URL('./home.html', import.meta.url), 'utf8')
const STYLE = readFileSync(new URL('./home.css', import.meta.url), 'utf8')
const SCRIPT = readFileSync(new URL('./home.js', import.meta.url), 'utf8')

export interface HomePageFacts {
  /** How a browser or a shell reaches the gateway. */
  readonly publicUrl: string
  readonly upstreamUrl: string
  /** Whether swaps run in this process. */
  readonly embedded: boolean
  /** Whether GraphiQL is served. */
  readonly graphiql: boolean
  /** Pictures to choose from; empty if the upstream is not the embedded one. */
  readonly portraits: readonly Portrait[]
}

export interface Portrait {
  readonly name: string
  readonly url: string
}

/** The operations that the page shows and sends. */
export const START_DOCUMENT = `mutation Start($input: CreateSwapInput!) {
  createSwap(input: $input) {
    ... on CreateSwapSuccess { job { id } }
    ... on SwapUpstreamError { job { id } }
    ... on SwapInvalidInputError {
      issues { path message }
    }
    ... on SwapError { message }
  }
}`
export const WATCH_DOCUMENT = `subscription Watch($id: ID!) {
  swapJobUpdated(id: $id) {
    status
    done
    timeline { status at source }
    result { url }
    failure { message }
  }
}`

/** Renders the page, and a policy that allows only its script and its style, by digest. */
export function createHomePage(facts: HomePageFacts): {
  readonly html: string
  readonly contentSecurityPolicy: string
} {
  const contentSecurityPolicy = [
    "default-src 'none'",
    `script-src ${toHashSource(SCRIPT)}`,
    `style-src ${toHashSource(STYLE)}`,
    // The page previews any URL that the visitor enters, and results come from the upstream's CDN.
    "img-src 'self' data: http: https:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
  return { html: toHtml(facts), contentSecurityPolicy }
}

function toHtml({ publicUrl, upstreamUrl, embedded, graphiql, portraits }: HomePageFacts): string {
  const [target, face = target] = portraits
  const input = {
    targetImage: { url: target?.url ?? 'TARGET_IMAGE_URL' },
    swapImage: { url: face?.url ?? 'SWAP_IMAGE_URL' },
  }
  const hasPortraits = portraits.length > 0
  return fill({
    '<link rel="stylesheet" href="home.css" />': `<style>${STYLE}</style>`,
    '<script src="home.js"></script>': `<script>${SCRIPT}</script>`,
    '{{graphqlLink}}': graphiql ? '<a href="/graphql">GraphiQL</a>' : '<code>/graphql</code>',
    '{{upstream}}': embedded
      ? 'Swaps run on this machine: no key is needed, and no picture leaves it.'
      : `Swaps run at <b>${escapeHtml(new URL(upstreamUrl).host)}</b>, which charges for them.`,
    '{{curl}}': escapeHtml(toCurl(publicUrl, START_DOCUMENT, { input })),
    '{{noPreview}}': hasPortraits ? 'no preview' : 'no picture yet',
    '{{addressLabel}}': hasPortraits ? 'or the URL of any image' : 'Image address',
    '{{targetPreview}}': toPreview(target),
    '{{targetChoices}}': toChoices('target', portraits, target),
    '{{targetUrl}}': escapeHtml(target?.url ?? ''),
    '{{facePreview}}': toPreview(face),
    '{{faceChoices}}': toChoices('face', portraits, face),
    '{{faceUrl}}': escapeHtml(face?.url ?? ''),
    '{{startDocument}}': escapeHtml(START_DOCUMENT),
    '{{watchDocument}}': escapeHtml(WATCH_DOCUMENT),
  })
}

/** Fills in `home.html`: each value replaces its placeholder, and is not searched for placeholders itself. */
function fill(values: Readonly<Record<string, string>>): string {
  return HTML.replaceAll(/<link rel="stylesheet"[^>]*>|<script src="[^"]*"><\/script>|\{\{\w+\}\}/g, (placeholder) => {
    const value = values[placeholder]
    if (value === undefined) throw new TypeError(`home.html has an unknown placeholder: ${placeholder}`)
    return value
  })
}

/** The attribute that shows the chosen portrait, or hides the preview. */
function toPreview(chosen?: Portrait): string {
  return chosen ? `src="${escapeHtml(chosen.url)}"` : 'hidden'
}

function toChoices(slot: string, portraits: readonly Portrait[], chosen?: Portrait): string {
  const choices = portraits.map(
    ({ name, url }) =>
      `<label><input type="radio" name="${slot}-portrait" value="${escapeHtml(url)}"${url === chosen?.url ? ' checked' : ''}>` +
      `<img src="${escapeHtml(url)}" alt="${escapeHtml(name)}" width="64" height="64"></label>`,
  )
  return choices.length > 0 ? `<div class="choices">${choices.join('')}</div>` : ''
}

function toCurl(publicUrl: string, query: string, variables: object): string {
  const body = JSON.stringify({ query: query.replaceAll(/\s+/g, ' '), variables }).replaceAll("'", String.raw`'\''`)
  return `curl -s '${publicUrl}/graphql' -H 'content-type: application/json' -d '${body}'`
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

function toHashSource(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
}
