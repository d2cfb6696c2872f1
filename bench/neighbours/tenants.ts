/** The two tenants of the gateway: the benchmark measures the quiet one while the noisy one generates load. */
import { createHash } from 'node:crypto'

export const KEYS = { quiet: 'quiet-tenant-key', noisy: 'noisy-tenant-key' } as const
export type Tenant = keyof typeof KEYS

/** For the setting `API_KEYS`. */
export const API_KEYS = Object.entries(KEYS)
  .map(([tenant, key]) => `${tenant}:${createHash('sha256').update(key).digest('hex')}`)
  .join()

export interface GraphqlClient {
  /** @returns the response's text, which may have errors. */
  send(query: string, variables?: Readonly<Record<string, unknown>>): Promise<string>
  /** @returns the status, after reading the body. */
  get(address: string): Promise<number>
  put(address: string, bytes: Buffer<ArrayBuffer>): Promise<number>
}

export function createClient(url: string, tenant: Tenant): GraphqlClient {
  const authorization = `Bearer ${KEYS[tenant]}`
  const send = async (address: string, init: Pick<RequestInit, 'method' | 'body'>) => {
    const headers = { authorization, ...(init.method === 'POST' && { 'content-type': 'application/json' }) }
    const response = await fetch(new URL(address, url), { ...init, headers })
    return { status: response.status, text: await response.text() }
  }
  return {
    send: async (query, variables = {}) =>
      (await send('/graphql', { method: 'POST', body: JSON.stringify({ query, variables }) })).text,
    get: async (address) => (await send(address, { method: 'GET' })).status,
    put: async (address, body) => (await send(address, { method: 'PUT', body })).status,
  }
}

const RESERVE = `mutation ($input: CreateSwapUploadInput!) {
  createSwapUpload(input: $input) { __typename ... on CreateSwapUploadSuccess { upload { id } put { url } } }
}`

export interface Reserved {
  readonly id: string
  readonly url: string
}

/** Reserves an upload of `byteLength` bytes; null if the gateway refuses temporarily. */
export async function reserveUpload(client: GraphqlClient, byteLength: number): Promise<Reserved | null> {
  const text = await client.send(RESERVE, { input: { contentType: 'IMAGE_JPEG', byteLength } })
  const [, id, address] = /"upload":\{"id":"([^"]+)"\},"put":\{"url":"([^"]+)"/.exec(text) ?? []
  return id !== undefined && address !== undefined ? { id, url: address } : null
}
