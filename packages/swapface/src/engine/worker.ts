/**
 * The thread of the engine: takes one order at a time and answers it. It is given the next order only after its answer,
 * so that it needs no queue of its own.
 */
import { parentPort, workerData } from 'node:worker_threads'

import sharp from 'sharp'

import { SwapRefusal, type SwapRefusalCode } from '../engine-contract.ts'
import type { EncodedImage } from './encode.ts'
import type { OnnxSwapper } from './onnx/onnx-swapper.ts'
import { createSwapper, type Swapper, type SwapperOptions } from './swapper.ts'

export interface WorkerOrder {
  readonly target: Uint8Array<ArrayBuffer>
  readonly donor: Uint8Array<ArrayBuffer>
}

/** The options of the thread. */
export interface WorkerOptions extends SwapperOptions {
  /** Folder of the operator's own models; null for the built-in ones. */
  readonly modelsDir: string | null
}

/** The result of `null`, which asks only whether swaps can be done, is null. */
export type WorkerAnswer =
  | { readonly result: EncodedImage | null }
  | { readonly refusal: { readonly code: SwapRefusalCode; readonly message: string; readonly cause?: unknown } }

if (parentPort === null) throw new TypeError('worker.ts is started as a worker thread only.')
const port = parentPort

// One picture at a time: a cache of decoded pictures would only hold memory.
sharp.cache(false)

// The engine is the only one who starts this thread, and gives it exactly these options.
const options: WorkerOptions = workerData
const swapper = openSwapper(options)
// It fails each order, and nothing before the first one.
swapper.catch(() => undefined)

port.on('message', (order: WorkerOrder | null) => {
  void answerOrder(order).then((answer) => port.postMessage(answer))
})

async function openSwapper({ modelsDir, ...own }: WorkerOptions): Promise<Pick<Swapper, 'swap'> | OnnxSwapper> {
  if (modelsDir === null) return createSwapper(own)
  // Loaded only where the operator asked for it.
  const { createOnnxSwapper } = await import('./onnx/onnx-swapper.ts')
  return createOnnxSwapper(own, modelsDir)
}

async function answerOrder(order: WorkerOrder | null): Promise<WorkerAnswer> {
  try {
    const opened = await swapper
    if (order === null) return { result: null }
    const { image, contentType, width, height } = await opened.swap(order.target, order.donor)
    return { result: { image, contentType, width, height } }
  } catch (error) {
    if (error instanceof SwapRefusal) return { refusal: { code: error.code, message: error.message } }
    const cause = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return {
      refusal: { code: 'ENGINE_FAILED', message: 'The swap failed because of a fault in the face-swap engine.', cause },
    }
  }
}
