/** Reads the file that the runner writes for all contenders. */
import { readFileSync } from 'node:fs'

/**
 * @typedef {object} Job
 * @property {string} id
 * @property {string} jobId the upstream's
 * @property {string} status
 * @property {boolean} done
 * @property {number} version
 * @property {string} createdAt
 * @property {{ url: string | null } | null} result
 * @property {{ code: string, message: string } | null} failure
 * @property {{ state: string, quota: number | null }} charge
 */

/**
 * @typedef {object} Setup
 * @property {Job[]} jobs newest first
 * @property {{ status: number, headers: Record<string, string>, body: string }} answer the gateway's to the same
 * request
 * @property {string} upstreamUrl
 * @property {string} upstreamKey
 * @property {string} hookUrl for submits
 * @property {string} databaseFile
 */

/** @type {Setup} */
export const setup = JSON.parse(readFileSync(process.env.SETUP_FILE ?? '', 'utf8'))
