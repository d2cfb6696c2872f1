/**
 * The engine's worker thread: answers one order at a time. The engine sends the next order only after the answer, so
 * the thread needs no queue.
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

export interface WorkerOptions extends SwapperOptions {
  /** Folder of the operator's own models; null for the built-in ones. */
  readonly modelsDir: string | null
}

/** The result is null for a null order, which only checks whether the models load. */
export type WorkerAnswer =
  | { readonly result: EncodedImage | null }
  | { readonly refusal: { readonly code: SwapRefusalCode; readonly message: string; readonly cause?: unknown } }

if (parentPort === null) throw new TypeError('worker.ts is started as a worker thread only.')
const port = parentPort

// No picture is used twice, so a cache would only hold memory.
sharp.cache(false)

// Only the engine starts this thread, and it passes exactly these options.
const options: WorkerOptions = workerData
const swapper = openSwapper(options)
// Handled here, so that a failure to load does not end the thread before the first order, which then rejects.
swapper.catch(() => undefined)

port.on('message', (order: WorkerOrder | null) => {
  void answerOrder(order).then((answer) => port.postMessage(answer))
})

async function openSwapper({ modelsDir, ...own }: WorkerOptions): Promise<Pick<Swapper, 'swap'> | OnnxSwapper> {
  if (modelsDir === null) return createSwapper(own)
  // Loaded only if the operator configured it.
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
