/**
 * The package's only entry point: the embedded upstream with its engine. The gateway starts it if it has no key for the
 * real upstream.
 */
import { SwapRefusal } from './engine-contract.ts'
import { openSwapEngine } from './engine/engine.ts'
import { PORTRAIT_NAMES, readPortrait } from './portraits.ts'
export type { SwapFaceEvent } from './log.ts'
import { openSwapFace, type SwapFaceOptions } from './swapface.ts'

export interface EmbeddedUpstreamOptions extends Omit<SwapFaceOptions, 'engine'> {
  /** Folder of the operator's InsightFace models; null for the built-in ones. */
  readonly modelsDir: string | null
}

export interface EmbeddedUpstream {
  /** Its REST API, as `http://<host>:<port>`. */
  readonly url: string
  /** Portraits of people who do not exist, served by the upstream itself. */
  readonly portraits: readonly { readonly name: string; readonly url: string }[]
  /**
   * Swaps two portraits in the background and discards the results, so that the first caller's swap is nearly as fast
   * as later ones. Never throws.
   */
  warmUp(): void
  /** Does not wait for unfinished jobs; they resume at the next start. */
  close(): Promise<void>
}

/** The operator's models cannot be used. The message says what is wrong and what to do. */
export class ModelsError extends Error {
  override readonly name = 'ModelsError'
}

/**
 * Resolves when the upstream accepts requests.
 * @throws {ModelsError} if `modelsDir` cannot be used.
 * @throws if the port is taken or `dataDir` cannot be used. Nothing is left open.
 */
export async function openEmbeddedUpstream({
  modelsDir,
  ...options
}: EmbeddedUpstreamOptions): Promise<EmbeddedUpstream> {
  const engine = openSwapEngine({ modelsDir })
  try {
    await engine.ready()
  } catch (error) {
    await engine.close()
    throw error instanceof SwapRefusal ? new ModelsError(error.message, { cause: error }) : error
  }
  const { url, close } = await openSwapFace({ ...options, engine })
  let isClosing = false
  return {
    url,
    portraits: PORTRAIT_NAMES.map((name) => ({ name, url: `${url}/portraits/${name}.jpg` })),
    warmUp: () => {
      const [target, donor] = PORTRAIT_NAMES
      Promise.all([readPortrait(target), readPortrait(donor)])
        // Twice: V8 is still compiling the pixel loops during the second swap.
        .then(async (pictures) => Promise.all([engine.swap(...pictures), engine.swap(...pictures)]))
        .catch((error: unknown) => {
          if (!isClosing) options.log?.({ event: 'fault', during: 'warm-up', error })
        })
    },
    close: async () => {
      isClosing = true
      await close()
    },
  }
}
