import type { EmbeddedUpstream, SwapFaceEvent } from 'swapface-gateway-engine'
import type { Config } from '../config/config.ts'
import { SettingError } from '../config/env.ts'
import type { Secrets } from '../config/secrets.ts'
import { readErrorCode } from '../lib/error-code.ts'

/**
 * Starts the embedded upstream; the gateway reaches it over HTTP like any other. Its package is optional and loaded only
 * here: a gateway with a key of the real upstream needs no engine.
 * @throws {SettingError} if the package is not installed, or the operator's own models cannot be used.
 */
export async function openEmbedded(
  config: Config,
  secrets: Secrets,
  publicUrl: string,
  log: (event: SwapFaceEvent) => void,
): Promise<EmbeddedUpstream> {
  const { ModelsError, openEmbeddedUpstream } = await loadPackage()
  try {
    return await openEmbeddedUpstream({
      host: '127.0.0.1',
      port: config.localUpstreamPort,
      apiKey: secrets.upstreamKey,
      dataDir: config.dataDir,
      // It sends its hooks to the gateway, whose address may be private.
      allowedPrivateHosts: [...config.allowedPrivateHosts, new URL(publicUrl).host],
      modelsDir: config.modelsDir,
      log,
    })
  } catch (error) {
    throw error instanceof ModelsError ? new SettingError('SWAPFACE_MODELS_DIR', `is set. ${error.message}`) : error
  }
}

async function loadPackage() {
  try {
    return await import('swapface-gateway-engine')
  } catch (error) {
    if (readErrorCode(error) !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new SettingError(
      'TTAPI_KEY',
      'is not set, and the embedded upstream is not installed: run "npm install swapface-gateway-engine", or set TTAPI_KEY.',
    )
  }
}
