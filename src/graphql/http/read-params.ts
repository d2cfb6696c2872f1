import type { IncomingMessage } from 'node:http'
import { readQuery } from '../../lib/http/request-path.ts'
import { type OperationParams, parseBody, parseQuery } from '../operation/params.ts'
import type { RequestHead } from './read-head.ts'
import { readGraphqlBody } from './request-body.ts'

export interface ReadParams {
  readonly params: OperationParams
  /** The bytes of a POST; null for GET and HEAD, whose parameters are in the URL. */
  readonly body: Buffer | null
}

/** @throws {RequestError} 400 or 413. */
export async function readParams(request: IncomingMessage, { method }: RequestHead): Promise<ReadParams> {
  if (method !== 'POST') return { params: parseQuery(readQuery(request)), body: null }
  const body = await readGraphqlBody(request)
  return { params: parseBody(body), body }
}
