// @ts-nocheck: undici declares no types for its inner modules.
/**
 * The parts of undici that the programs use, for the bundle. Undici's own entry also loads fetch, WebSocket and caches,
 * and the Node modules that these need: a sixth of the gateway's startup time. The bundler rejects an import that is
 * not exported here.
 */
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js'
import Agent from 'undici/lib/dispatcher/agent.js'
import Pool from 'undici/lib/dispatcher/pool.js'
import buildConnector from 'undici/lib/core/connect.js'
import errors from 'undici/lib/core/errors.js'
import api from 'undici/lib/api/index.js'

Object.assign(Dispatcher.prototype, api)

/** Like undici's `request`, but the dispatcher is required: there is no global one. */
function request(url, { dispatcher, ...options }) {
  const { origin, pathname, search } = new URL(url)
  return dispatcher.request({ method: 'GET', ...options, origin, path: `${pathname}${search}` })
}

export { Agent, buildConnector, Dispatcher, errors, Pool, request }
