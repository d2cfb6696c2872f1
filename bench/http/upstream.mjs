/** A minimal client of the upstream's two calls, for contenders. */
import { Pool } from 'undici'
import { setup } from './setup.mjs'

const CONNECTIONS = 32
const pool = new Pool(setup.upstreamUrl, { connections: CONNECTIONS })
const headers = { 'tt-api-key': setup.upstreamKey, 'content-type': 'application/json' }

/**
 * @param {string} jobId
 * @returns {Promise<{ status: string, data: { quota: number, cdnImage: string } | null }>}
 */
export async function fetchJob(jobId) {
  return call({ method: 'GET', path: `/insightFace/v1/fetch?jobId=${jobId}`, headers })
}

/**
 * @param {string} targetImage
 * @param {string} swapImage
 * @returns {Promise<string>} the new job's id
 */
export async function submitSwap(targetImage, swapImage) {
  const body = JSON.stringify({ targetImage, swapImage, hookUrl: setup.hookUrl })
  const { data } = await call({ method: 'POST', path: '/insightFace/v1/swap', headers, body })
  return data.jobId
}

/** @param {import('undici').Dispatcher.RequestOptions} request */
async function call(request) {
  const response = await pool.request(request)
  return JSON.parse(await response.body.text())
}
