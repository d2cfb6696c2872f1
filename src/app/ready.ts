/** What the program prints when it is ready: a banner on a terminal, one log line otherwise. */
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import type { App } from './app.ts'

export interface ReadyFacts
  extends
    Pick<App, 'url' | 'publicUrl' | 'metricsUrl' | 'upstream' | 'exampleImages'>,
    Pick<Config, 'authenticates' | 'graphiql' | 'dataDir'> {
  readonly version: string
  /** The API key that the gateway generated; null if it did not. */
  readonly createdApiKey: string | null
}

export function toBanner(facts: ReadyFacts): string {
  const { publicUrl, metricsUrl, upstream, exampleImages, graphiql, createdApiKey } = facts
  const { targetImage, swapImage } = exampleImages
  const { start, watch } = toCommands(facts, createdApiKey ?? 'YOUR_KEY')
  const title = upstream.embedded
    ? 'Start a swap:'
    : `Start a swap. The upstream charges for it. Replace ${targetImage} and ${swapImage} with the URLs of your images:`
  return `
swapface-gateway is ready.

  Page       ${publicUrl}/
  GraphQL    ${publicUrl}/graphql${graphiql ? '  (GraphiQL in a browser)' : ''}
${metricsUrl === null ? '' : `  Metrics    ${metricsUrl}  (for Prometheus)\n`}  Upstream   ${upstream.url}${upstream.embedded ? '  (embedded: swaps on this machine, no key needed)' : ''}
${createdApiKey === null ? '' : `  API key    ${createdApiKey}  (generated, stored in DATA_DIR/api-key; set API_KEYS to replace it)\n`}
${title}

${start}

Watch it, with the id from the answer in place of JOB_ID:

${watch}
`
}

/** The log line: the same facts without the key, which must not be logged. */
export function describeReady(facts: ReadyFacts): { readonly msg: string; readonly [name: string]: unknown } {
  const { url, publicUrl, metricsUrl, upstream, version, createdApiKey, dataDir } = facts
  return {
    url,
    publicUrl,
    metricsUrl,
    upstream: upstream.url,
    embedded: upstream.embedded,
    version,
    ...(createdApiKey !== null && { apiKeyFile: join(dataDir, 'api-key') }),
    example: toCommands(facts, 'YOUR_KEY'),
    msg: `swapface-gateway is ready. Page ${publicUrl}/ GraphQL ${publicUrl}/graphql Upstream ${upstream.url}`,
  }
}

/** Two commands for a shell: start a swap, and watch it. */
function toCommands({ publicUrl, exampleImages, authenticates }: ReadyFacts, key: string) {
  const credential = authenticates ? ` -H 'authorization: Bearer ${key}'` : ''
  const post = `curl -sN ${publicUrl}/graphql${credential} -H 'content-type: application/json'`
  const { targetImage, swapImage } = exampleImages
  const input = `{ targetImage: { url: \\"${targetImage}\\" }, swapImage: { url: \\"${swapImage}\\" } }`
  const create = `mutation { createSwap(input: ${input}) { ... on CreateSwapSuccess { job { id status } } ... on SwapError { code message } } }`
  const watch = 'subscription ($id: ID!) { swapJobUpdated(id: $id) { status done result { url } failure { message } } }'
  return {
    start: `${post} -d '{"query":"${create}"}'`,
    watch: `${post} -H 'accept: text/event-stream' -d '{"query":"${watch}","variables":{"id":"JOB_ID"}}'`,
  }
}
