/**
 * Loads onnxruntime-node and declares the parts in use. The package is not a dependency: an operator who wants the
 * neural path installs it. Neither the compiler nor a build may need it, so its types are declared here.
 */
import { createRequire } from 'node:module'

import { SwapRefusal } from '../../engine-contract.ts'

export interface OnnxTensor {
  readonly data: unknown
}

export interface OnnxSession {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  run(feeds: Readonly<Record<string, OnnxTensor>>): Promise<Readonly<Record<string, OnnxTensor>>>
}

export interface OnnxRuntime {
  readonly InferenceSession: {
    create(path: string, options: { readonly logSeverityLevel: number }): Promise<OnnxSession>
  }
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => OnnxTensor
}

const INSTALL = 'npm install onnxruntime-node@1.30.0 --ignore-scripts'

/** @throws {SwapRefusal} ENGINE_FAILED if the package is missing or cannot be loaded. */
export function loadRuntime(name = 'onnxruntime-node'): OnnxRuntime {
  const require = createRequire(import.meta.url)
  try {
    require.resolve(name)
  } catch (error) {
    throw refuse(`the package ${name} is not installed. Install it with "${INSTALL}".`, error)
  }
  try {
    const runtime: OnnxRuntime = require(name)
    return runtime
  } catch (error) {
    throw refuse(
      `the package ${name} is installed, but cannot be loaded on this machine. Install it again with "${INSTALL}".`,
      error,
    )
  }
}

/** @param problem what is wrong, in lower case, then a sentence with what to do. Without paths: callers may see it. */
export function refuse(problem: string, cause?: unknown): SwapRefusal {
  const refusal = new SwapRefusal('ENGINE_FAILED', `The neural models cannot be used: ${problem}`)
  refusal.cause = cause
  return refusal
}
