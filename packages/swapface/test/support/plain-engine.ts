import type { SwapEngine } from '../../src/engine-contract.ts'

export interface PlainEngine extends SwapEngine {
  /** The targets in call order. */
  readonly targets: readonly Uint8Array[]
  /** Holds later swaps until `release` is called. */
  hold(): void
  release(): void
}

/**
 * Creates an engine for tests in which the picture does not matter: it returns the target unchanged, at once unless
 * held. A swap that is held when the engine closes never settles.
 */
export function createPlainEngine(): PlainEngine {
  const targets: Uint8Array[] = []
  const held: (() => void)[] = []
  let isHeld = false

  return {
    targets,
    hold: () => {
      isHeld = true
    },
    release: () => {
      isHeld = false
      for (const go of held.splice(0)) go()
    },
    swap: async (target) => {
      targets.push(target)
      if (isHeld) await new Promise<void>((resolve) => held.push(resolve))
      return { image: target, contentType: 'image/jpeg', width: 1, height: 1 }
    },
    close: async () => undefined,
  }
}
