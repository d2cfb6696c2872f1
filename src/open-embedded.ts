import type { Config } from './config/config.ts'
import { SettingError } from './config/env.ts'
import type { Secrets } from './config/secrets.ts'
import type { SwapFaceOptions } from './swapface/swapface.ts'

/** Starts the embedded upstream; the gateway reaches it over HTTP like any other. */
export async function openEmbedded(
  config: Config,
  secrets: Secrets,
  publicUrl: string,
  log: NonNullable<SwapFaceOptions['log']>,
  onClose: (close: () => Promise<void>) => void,
): Promise<{ readonly url: string; readonly portraits: readonly { readonly name: string; readonly url: string }[] }> {
  // Loaded only where it is used: a gateway in front of the real upstream carries no engine.
  const [{ openSwapFace }, { openSwapEngine, SwapRefusal }, { PORTRAIT_NAMES }] = await Promise.all([
    import('./swapface/swapface.ts'),
    import('./swapface/engine/engine.ts'),
    import('./swapface/portraits.ts'),
  ])
  const engine = openSwapEngine({ modelsDir: config.modelsDir })
  onClose(() => engine.close())
  await engine.ready().catch((error: unknown) => {
    throw error instanceof SwapRefusal ? new SettingError('SWAPFACE_MODELS_DIR', `is set. ${error.message}`) : error
  })
  const embedded = await openSwapFace({
    host: '127.0.0.1',
    port: config.localUpstreamPort,
    apiKey: secrets.upstreamKey,
    dataDir: config.dataDir,
    // Its hooks come to us, wherever we are.
    allowedPrivateHosts: [...config.allowedPrivateHosts, new URL(publicUrl).host],
    engine,
    log,
  })
  onClose(() => embedded.close())
  const { url } = embedded
  return { url, portraits: PORTRAIT_NAMES.map((name) => ({ name, url: `${url}/portraits/${name}.jpg` })) }
}
