/** Serves the project's portraits, which a first swap can use. */
import { PORTRAIT_NAMES, readPortrait } from './portraits.ts'
import { toFailedResponse, toJsonResponse, type RestResponse, type RestRequest, type Route } from './rest-server.ts'

export function createPortraitRoutes(baseUrl: string): readonly Route[] {
  const list = PORTRAIT_NAMES.map((name) => ({ name, url: `${baseUrl}/portraits/${name}.jpg` }))

  return [
    { path: '/portraits', methods: ['GET', 'HEAD'], handle: () => toJsonResponse(200, list) },
    { path: '/portraits/', methods: ['GET', 'HEAD'], handle: servePortrait },
  ]
}

async function servePortrait({ path }: RestRequest): Promise<RestResponse> {
  const name = PORTRAIT_NAMES.find((one) => path === `/portraits/${one}.jpg`)
  if (name === undefined) {
    return toFailedResponse(404, `Unknown portrait. Use one of ${PORTRAIT_NAMES.join(', ')}.`)
  }
  const headers = { 'content-type': 'image/jpeg', 'cache-control': 'public, max-age=3600' }
  return { status: 200, headers, body: await readPortrait(name) }
}
