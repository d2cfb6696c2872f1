/**
 * The front page: one document with its style and its script inside, which loads nothing else but pictures.
 * Everything that varies is written here, escaped; the script reads the documents it sends out of the page, so what is
 * shown is what is sent.
 */
import { createHash } from 'node:crypto'
import { SCRIPT } from './home-script.ts'
import { STYLE } from './home-style.ts'

export interface HomePageFacts {
  /** How a browser or a shell reaches the gateway. */
  readonly publicUrl: string
  readonly upstreamUrl: string
  /** Whether swaps are done in this process. */
  readonly embedded: boolean
  /** Whether GraphiQL is served. */
  readonly graphiql: boolean
  /** Pictures to choose from; none where there are none of our own. */
  readonly portraits: readonly Portrait[]
}

export interface Portrait {
  readonly name: string
  readonly url: string
}

/** The operations as they are shown and sent. */
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

const ICON =
  'data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 viewBox=%220 0 16 16%22%3E%3Ccircle cx=%226%22 cy=%228%22 r=%225%22 fill=%22%23c2452d%22/%3E%3Ccircle cx=%2210%22 cy=%228%22 r=%225%22 fill=%22%231d6f6a%22 fill-opacity=%22.85%22/%3E%3C/svg%3E'

/** The page and the policy under which it works; the policy names the one script and the one style by their digests. */
export function createHomePage(facts: HomePageFacts): {
  readonly html: string
  readonly contentSecurityPolicy: string
} {
  const contentSecurityPolicy = [
    "default-src 'none'",
    `script-src ${toHashSource(SCRIPT)}`,
    `style-src ${toHashSource(STYLE)}`,
    // Whatever address is typed in is shown, and results come from the upstream's CDN.
    "img-src 'self' data: http: https:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
  return { html: toHtml(facts), contentSecurityPolicy }
}

function toHtml({ publicUrl, upstreamUrl, embedded, graphiql, portraits }: HomePageFacts): string {
  const [template, face = template] = portraits
  const input = {
    targetImage: { url: template?.url ?? 'TARGET_IMAGE_URL' },
    swapImage: { url: face?.url ?? 'SWAP_IMAGE_URL' },
  }
  const where = embedded
    ? 'Here the swaps are done on this machine: no key is needed, and no picture leaves it.'
    : `Here the swaps are done, and charged, by <b>${escapeHtml(new URL(upstreamUrl).host)}</b>.`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>swapface-gateway</title>
<link rel="icon" href="${ICON}">
<style>${STYLE}</style>
<header>
  <strong>swapface-gateway</strong>
  <nav>${graphiql ? '<a href="/graphql">GraphiQL</a>' : '<code>/graphql</code>'}</nav>
</header>
<main>
  <h1>Put one face into another picture, and watch it happen.</h1>
  <p class="lead">A typed GraphQL gateway to the asynchronous SwapFace API: start a swap with one mutation, follow it with one subscription, get the picture. ${where}</p>
  <noscript><p class="note">The form needs JavaScript. This starts the same swap from a shell:</p><pre>${escapeHtml(toCurl(publicUrl, START_DOCUMENT, { input }))}</pre></noscript>
  <form id="form" novalidate>
    ${toSlot('target', 'Template', 'the picture to change', portraits, template)}
    ${toSlot('face', 'Face', 'the one to put in', portraits, face)}
    <section class="slot result" aria-labelledby="result-name">
      <h2 id="result-name">Result</h2>
      <div class="frame" id="result-frame"><img id="result" alt="The result of the swap" hidden><span class="hint" id="clock"></span></div>
      <button id="swap">Swap</button>
      <p id="key-row" hidden><label for="key">API key of this gateway</label><input id="key" type="password" autocomplete="off"></p>
      <ol id="timeline" aria-label="States of the swap"></ol>
      <p><span id="status" role="status"></span> <a id="open" target="_blank" rel="noreferrer" hidden>Open the picture</a></p>
    </section>
  </form>
  <details>
    <summary>What is sent, and the same with curl</summary>
    <div class="steps">
      ${toStep('start', 'Start', START_DOCUMENT)}
      ${toStep('watch', 'Watch', WATCH_DOCUMENT)}
    </div>
  </details>
</main>
<script>${SCRIPT}</script>
</html>
`
}

function toSlot(id: string, name: string, what: string, portraits: readonly Portrait[], chosen?: Portrait): string {
  const choices = portraits.map(
    ({ name: portrait, url }) =>
      `<label><input type="radio" name="${id}-portrait" value="${escapeHtml(url)}"${url === chosen?.url ? ' checked' : ''}>` +
      `<img src="${escapeHtml(url)}" alt="${escapeHtml(portrait)}" width="64" height="64"></label>`,
  )
  return `<div class="slot" id="${id}" role="group" aria-labelledby="${id}-name">
      <h2><span id="${id}-name">${name}</span> <small>${what}</small></h2>
      <div class="frame"><img id="${id}-preview" alt="${name} as chosen"${chosen ? ` src="${escapeHtml(chosen.url)}"` : ' hidden'}><span class="hint">${portraits.length > 0 ? 'no preview' : 'no picture yet'}</span></div>
      ${choices.length > 0 ? `<div class="choices">${choices.join('')}</div>` : ''}
      <label for="${id}-url">${choices.length > 0 ? 'or any image address' : 'Image address'}</label>
      <input id="${id}-url" type="url" placeholder="https://…" value="${escapeHtml(chosen?.url ?? '')}" autocomplete="off" spellcheck="false" aria-describedby="${id}-issue">
      <p class="issue" id="${id}-issue"></p>
    </div>`
}

function toStep(id: string, name: string, document: string): string {
  return `<section>
        <h2>${name}</h2>
        <pre id="${id}-document">${escapeHtml(document)}</pre>
        <h3>Variables</h3>
        <pre id="${id}-variables"></pre>
        <h3>curl</h3>
        <pre id="${id}-curl"></pre>
      </section>`
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
